//! Cart in responses.

use axum::Json;
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use contracts::{CartId, Money, ProductId, UserId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{PricedCart, PricedLine};

/// Cart at today's prices.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Cart)]
pub(super) struct CartResponse {
    id: CartId,
    /// Version, raised by each change.
    version: i64,
    /// Owner; `null` while the cart is unclaimed.
    user_id: Option<UserId>,
    /// Lines that a merge dropped because the cart had 50 lines. Only the id of the merged cart leads to them.
    dropped: Vec<CartItemResponse>,
    items: Vec<CartItemResponse>,
    /// Sum of the items whose products are on sale.
    subtotal: Money,
    /// Tax: 8% of the subtotal.
    tax_amount: Money,
    /// Shipping cost: 9.99, free from a subtotal of 100.00 and for a cart without an item on sale.
    shipping_amount: Money,
    discount_amount: Money,
    total_amount: Money,
    currency: String,
    updated_at: DateTime<Utc>,
}

/// Line of a cart at today's price.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CartItem)]
struct CartItemResponse {
    product_id: ProductId,
    product_name: String,
    product_sku: Option<String>,
    /// Address of the product's primary image.
    image_url: Option<String>,
    /// Price per piece; the last known one of a product that is gone.
    unit_price: Money,
    quantity: i64,
    total_price: Money,
    /// Pieces left to buy; 0 for a product that is gone, which does not count toward the totals.
    available: i64,
}

impl CartResponse {
    /// Creates the response of a cart in this currency.
    pub(super) fn new(priced: PricedCart, currency: &str) -> Self {
        let PricedCart { cart, lines, dropped, totals } = priced;
        let items = |lines: Vec<PricedLine>| lines.into_iter().map(CartItemResponse::from).collect();
        Self {
            id: cart.id,
            version: cart.version,
            user_id: cart.user_id,
            dropped: items(dropped),
            items: items(lines),
            subtotal: totals.subtotal,
            tax_amount: totals.tax,
            shipping_amount: totals.shipping,
            discount_amount: totals.discount,
            total_amount: totals.total,
            currency: currency.to_owned(),
            updated_at: cart.updated_at,
        }
    }

    /// Returns the path of the cart.
    pub(super) fn location(&self) -> String {
        format!("/api/carts/{}", self.id)
    }
}

impl From<PricedLine> for CartItemResponse {
    fn from(priced: PricedLine) -> Self {
        let PricedLine { line, total_price, image_url, available } = priced;
        Self {
            product_id: line.product_id,
            product_name: line.product_name,
            product_sku: line.product_sku,
            image_url,
            unit_price: line.unit_price,
            quantity: line.quantity,
            total_price,
            available,
        }
    }
}

impl IntoResponse for CartResponse {
    /// Forbids caches to store the cart: an unclaimed one is read without a token, which would forbid it otherwise.
    fn into_response(self) -> Response {
        ([(CACHE_CONTROL, HeaderValue::from_static("no-store"))], Json(self)).into_response()
    }
}
