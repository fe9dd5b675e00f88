//! Carts: what a person may order, without any hold on stock.

use chrono::{DateTime, Utc};
use contracts::api::Product;
use contracts::event::Line;
use contracts::limits::MAX_ORDER_LINES;
use contracts::{CartId, Money, ProductId, UserId};

use super::OrderError;

/// Cart with its lines. Its id gives access to it until a person claims it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cart {
    /// Id of the cart.
    pub id: CartId,
    /// Owner; `None` while the cart is unclaimed.
    pub user_id: Option<UserId>,
    /// Version: 1 at creation, raised by each change.
    pub version: i64,
    /// Lines in the order in which their products were added, at most one per product.
    pub lines: Vec<CartLine>,
    /// Time of the last change.
    pub updated_at: DateTime<Utc>,
    /// Time of the last change or recorded read.
    pub used_at: DateTime<Utc>,
}

/// Quantity of a product, with the product's data at the time when the quantity was set.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the item's fields in the contract")]
pub struct CartLine {
    pub product_id: ProductId,
    pub quantity: i64,
    pub product_name: String,
    pub product_sku: Option<String>,
    pub unit_price: Money,
}

/// Cart that an id leads to: the cart itself, or the one that it was merged into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundCart {
    /// Cart with its lines.
    pub cart: Cart,
    /// Lines of the merged cart for which the other one had no room.
    pub dropped: Vec<CartLine>,
}

/// Reference to a version of a cart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CartVersion {
    /// Id of the cart.
    pub id: CartId,
    /// Version of the cart.
    pub version: i64,
}

/// Change of one line of a cart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineChange {
    /// Line that is added or replaced.
    Set(CartLine),
    /// Product whose line is removed.
    Remove(ProductId),
}

/// Result of merging lines into a cart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MergedLines {
    /// Lines of the cart that were added or replaced.
    pub set: Vec<CartLine>,
    /// Lines for which the cart had no room.
    pub dropped: Vec<CartLine>,
}

impl CartLine {
    /// Creates the line of a product as it is now.
    #[must_use]
    pub fn new(product: &Product, quantity: i64) -> Self {
        Self {
            product_id: product.id,
            quantity,
            product_name: product.name.clone(),
            product_sku: product.sku.clone(),
            unit_price: product.price,
        }
    }
}

impl From<Cart> for FoundCart {
    fn from(cart: Cart) -> Self {
        Self { cart, dropped: Vec::new() }
    }
}

impl Cart {
    /// Creates an empty cart.
    #[must_use]
    pub const fn new(id: CartId, user_id: Option<UserId>, now: DateTime<Utc>) -> Self {
        Self { id, user_id, version: 1, lines: Vec::new(), updated_at: now, used_at: now }
    }

    /// Returns a reference to the current version.
    #[must_use]
    pub const fn reference(&self) -> CartVersion {
        CartVersion { id: self.id, version: self.version }
    }

    /// Returns whether a person, or an unknown person (`None`), may use the cart.
    #[must_use]
    pub fn is_usable_by(&self, user: Option<UserId>) -> bool {
        self.user_id.is_none() || self.user_id == user
    }

    /// Returns the quantity of a product, 0 if the cart has no line of it.
    #[must_use]
    pub fn quantity_of(&self, product: ProductId) -> i64 {
        self.lines.iter().find(|line| line.product_id == product).map_or(0, |line| line.quantity)
    }

    /// Returns the quantities to order if the cart is the ordered one and still in its version.
    ///
    /// # Errors
    /// [`OrderError::CartChanged`] for another version and for a cart that was merged into this one, else
    /// [`OrderError::CartEmpty`] without lines.
    pub fn lines_to_order(&self, ordered: CartVersion) -> Result<Vec<Line>, OrderError> {
        // Versions of different carts can be equal.
        if self.reference() != ordered {
            return Err(OrderError::CartChanged);
        }
        if self.lines.is_empty() {
            return Err(OrderError::CartEmpty);
        }
        let line = |line: &CartLine| Line { product_id: line.product_id, quantity: line.quantity };
        Ok(self.lines.iter().map(line).collect())
    }

    /// Applies a change of a line and raises the version.
    ///
    /// # Errors
    /// [`OrderError::CartFull`] if the change adds a line to a cart with 50 lines.
    pub fn apply(&mut self, change: &LineChange, now: DateTime<Utc>) -> Result<(), OrderError> {
        match change {
            LineChange::Set(line) => self.set(line.clone())?,
            LineChange::Remove(product) => self.lines.retain(|line| line.product_id != *product),
        }
        self.touch(now);
        Ok(())
    }

    /// Merges the lines of another cart: the larger quantity of a product wins, new products follow the others. Raises
    /// the version if a line was added or replaced.
    pub fn merge(&mut self, lines: Vec<CartLine>, now: DateTime<Utc>) -> MergedLines {
        let mut merged = MergedLines::default();
        for line in lines {
            if self.quantity_of(line.product_id) >= line.quantity {
                continue;
            }
            match self.set(line.clone()) {
                Ok(()) => merged.set.push(line),
                Err(_) => merged.dropped.push(line),
            }
        }
        if !merged.set.is_empty() {
            self.touch(now);
        }
        self.used_at = now;
        merged
    }

    fn set(&mut self, line: CartLine) -> Result<(), OrderError> {
        match self.lines.iter().position(|known| known.product_id == line.product_id) {
            Some(index) => self.lines[index] = line,
            None if self.lines.len() >= MAX_ORDER_LINES => return Err(OrderError::CartFull),
            None => self.lines.push(line),
        }
        Ok(())
    }

    const fn touch(&mut self, now: DateTime<Utc>) {
        self.version += 1;
        self.updated_at = now;
        self.used_at = now;
    }
}

#[cfg(test)]
mod tests;
