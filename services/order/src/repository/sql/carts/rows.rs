//! Retrieval of carts, and changes of their lines.

use common::database::store::StoreError;
use common::database::{Connection, Row, query};
use contracts::{CartId, UserId};

use super::statements;
use crate::domain::{Cart, CartLine, FoundCart, LineChange};

/// Cart without its lines.
pub(super) struct CartRow {
    pub(super) cart: Cart,
    pub(super) merged_into: Option<CartId>,
}

impl CartRow {
    pub(super) fn new(row: &Row) -> Result<Self, StoreError> {
        let cart = Cart {
            id: row.get("id")?,
            user_id: row.get("user_id")?,
            version: row.get("version")?,
            lines: Vec::new(),
            updated_at: row.get("updated_at")?,
            used_at: row.get("used_at")?,
        };
        Ok(Self { cart, merged_into: row.get("merged_into")? })
    }

    /// Returns the cart with its lines.
    pub(super) async fn with_lines(self, db: &mut Connection) -> Result<Cart, StoreError> {
        let lines = find_lines(db, self.cart.id).await?;
        Ok(Cart { lines, ..self.cart })
    }
}

/// Returns a cart by id.
pub(super) async fn find(db: &mut Connection, id: CartId) -> Result<Option<CartRow>, StoreError> {
    let row = query(statements::FIND_CART).bind(id).fetch_optional(db).await?;
    row.as_ref().map(CartRow::new).transpose()
}

/// Returns the cart of a person with its lines.
pub(super) async fn find_by_user(db: &mut Connection, user: UserId) -> Result<Option<Cart>, StoreError> {
    let row = query(statements::FIND_CART_BY_USER).bind(user).fetch_optional(db).await?;
    match row {
        Some(row) => CartRow::new(&row)?.with_lines(db).await.map(Some),
        None => Ok(None),
    }
}

/// Returns the cart that an id leads to.
pub(super) async fn resolve(db: &mut Connection, id: CartId) -> Result<Option<FoundCart>, StoreError> {
    let Some(row) = find(db, id).await? else { return Ok(None) };
    let Some(survivor) = row.merged_into else { return Ok(Some(row.with_lines(db).await?.into())) };
    let Some(survivor) = find(db, survivor).await? else { return Ok(None) };
    let cart = survivor.with_lines(db).await?;
    Ok(Some(FoundCart { cart, dropped: find_lines(db, id).await? }))
}

/// Returns the lines of a cart in the order in which they were added.
pub(super) async fn find_lines(db: &mut Connection, cart: CartId) -> Result<Vec<CartLine>, StoreError> {
    let rows = query(statements::CART_LINES).bind(cart).fetch_all(db).await?;
    let line = |row: &Row| {
        Ok(CartLine {
            product_id: row.get("product_id")?,
            quantity: row.get("quantity")?,
            product_name: row.get("product_name")?,
            product_sku: row.get("product_sku")?,
            unit_price: row.get("unit_price")?,
        })
    };
    rows.iter().map(line).collect()
}

/// Writes a change of a line. The cart's row must be locked.
pub(super) async fn write_change(db: &mut Connection, cart: CartId, change: &LineChange) -> Result<(), StoreError> {
    match change {
        LineChange::Set(line) => set_line(db, cart, line).await,
        LineChange::Remove(product) => {
            query(statements::DELETE_LINE).bind(cart).bind(*product).execute(db).await.map(drop)
        }
    }
}

/// Inserts or replaces a line. The cart's row must be locked.
pub(super) async fn set_line(db: &mut Connection, cart: CartId, line: &CartLine) -> Result<(), StoreError> {
    query(statements::SET_LINE)
        .bind(cart)
        .bind(line.product_id)
        .bind(line.quantity)
        .bind(&line.product_name)
        .bind(&line.product_sku)
        .bind(line.unit_price)
        .execute(db)
        .await?;
    Ok(())
}
