//! Carts at today's prices.

use std::collections::HashMap;

use contracts::api::{Product, ProductImage};
use contracts::{Money, ProductId};

use super::{Cart, CartLine, FoundCart, OrderError, Totals};

/// Cart with the current data of its products.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PricedCart {
    /// Priced cart.
    pub cart: Cart,
    /// Lines of the cart at current prices.
    pub lines: Vec<PricedLine>,
    /// Lines that a merge dropped, at current prices.
    pub dropped: Vec<PricedLine>,
    /// Totals of the lines whose products are on sale, also above the maximum of an order. All are zero without such a
    /// line.
    pub totals: Totals,
}

/// Line of a cart with the current data of its product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PricedLine {
    /// Line with the product's current name, SKU and price; those of the last change for a product that is gone.
    pub line: CartLine,
    /// Price of all pieces.
    pub total_price: Money,
    /// Address of the product's primary image.
    pub image_url: Option<String>,
    /// Pieces left to buy; 0 for a product that is gone.
    pub available: i64,
}

impl PricedCart {
    /// Prices a cart. A product that is not among `products` is gone and does not count toward the totals.
    ///
    /// # Errors
    /// [`OrderError::TotalTooLarge`] if an amount has no representation.
    pub fn new(found: FoundCart, products: &HashMap<ProductId, Product>) -> Result<Self, OrderError> {
        let FoundCart { cart, dropped } = found;
        let price = |lines: &[CartLine]| {
            lines
                .iter()
                .map(|line| PricedLine::new(line, products.get(&line.product_id)))
                .collect::<Result<Vec<_>, _>>()
        };
        let (lines, dropped) = (price(&cart.lines)?, price(&dropped)?);
        let on_sale = lines.iter().filter(|priced| products.contains_key(&priced.line.product_id));
        let on_sale: Vec<_> = on_sale.map(|priced| priced.total_price).collect();
        let totals = if on_sale.is_empty() { Totals::ZERO } else { Totals::unlimited(on_sale)? };
        Ok(Self { cart, lines, dropped, totals })
    }
}

impl PricedLine {
    fn new(line: &CartLine, product: Option<&Product>) -> Result<Self, OrderError> {
        let line = product.map_or_else(|| line.clone(), |product| CartLine::new(product, line.quantity));
        Ok(Self {
            total_price: line.unit_price.checked_mul(line.quantity).ok_or(OrderError::TotalTooLarge)?,
            image_url: product.and_then(|product| primary_image(&product.images)).map(|image| image.url.clone()),
            available: product.map_or(0, |product| product.stock_quantity.max(0)),
            line,
        })
    }
}

/// Returns the primary image, or the first one if none is primary.
fn primary_image(images: &[ProductImage]) -> Option<&ProductImage> {
    images.iter().find(|image| image.primary).or_else(|| images.first())
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use contracts::{CartId, ImageId};

    use super::*;

    fn product(id: i64, cents: i64, stock: i64) -> (ProductId, Product) {
        let image = |image, primary| ProductImage {
            id: ImageId::new(image),
            url: format!("/media/{image}"),
            alt_text: None,
            primary,
        };
        let product = Product {
            id: ProductId::new(id),
            name: format!("Product {id}"),
            description: String::new(),
            price: Money::from_cents(cents),
            category: String::new(),
            stock_quantity: stock,
            brand: None,
            sku: Some(format!("SKU-{id}")),
            average_rating: Money::ZERO,
            review_count: 0,
            active: true,
            images: vec![image(1, false), image(2, true)],
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        };
        (product.id, product)
    }

    fn lines(lines: &[(i64, i64)]) -> Vec<CartLine> {
        let line = |(id, quantity): &(i64, i64)| CartLine {
            product_id: ProductId::new(*id),
            quantity: *quantity,
            product_name: "as of the change".to_owned(),
            product_sku: None,
            unit_price: Money::from_cents(1),
        };
        lines.iter().map(line).collect()
    }

    fn price(cart_lines: &[(i64, i64)], dropped: &[(i64, i64)], products: [(ProductId, Product); 2]) -> PricedCart {
        let mut cart = Cart::new(CartId::from_random_bytes([7; 16]), None, DateTime::UNIX_EPOCH);
        cart.lines = lines(cart_lines);
        PricedCart::new(FoundCart { cart, dropped: lines(dropped) }, &HashMap::from(products)).unwrap()
    }

    #[test]
    fn lines_have_the_current_data_of_their_products() {
        let priced = price(&[(1, 2), (2, 3)], &[(2, 1)], [product(1, 2_999, 100), product(2, 100, -1)]);
        assert_eq!(priced.lines[0].line.product_name, "Product 1");
        assert_eq!(priced.lines[0].line.product_sku.as_deref(), Some("SKU-1"));
        assert_eq!(priced.lines[0].image_url.as_deref(), Some("/media/2"));
        let amounts = |line: &PricedLine| (line.line.unit_price.cents(), line.total_price.cents(), line.available);
        assert_eq!(priced.lines.iter().map(amounts).collect::<Vec<_>>(), [(2_999, 5_998, 100), (100, 300, 0)]);
        assert_eq!(priced.dropped.iter().map(amounts).collect::<Vec<_>>(), [(100, 100, 0)]);
        assert_eq!((priced.totals.subtotal.cents(), priced.totals.shipping.cents()), (6_298, 999));
    }

    #[test]
    fn gone_product_is_shown_and_does_not_count() {
        let priced = price(&[(1, 2), (9, 3)], &[], [product(1, 2_999, 100), product(2, 100, 1)]);
        let gone = &priced.lines[1];
        assert_eq!(
            (gone.line.product_name.as_str(), gone.available, gone.total_price.cents()),
            ("as of the change", 0, 3)
        );
        assert_eq!((&gone.image_url, priced.totals.total.cents()), (&None, 7_477));
        let only_gone = price(&[(9, 3)], &[], [product(1, 1, 1), product(2, 1, 1)]);
        assert_eq!(only_gone.totals, Totals::ZERO);
    }

    #[test]
    fn total_above_the_maximum_of_an_order_is_shown() {
        let priced = price(&[(1, 1000)], &[], [product(1, 100_000, 5_000), product(2, 1, 1)]);
        assert_eq!(priced.totals.total.cents(), 108_000_000);
    }
}
