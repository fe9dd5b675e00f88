//! Texts by which orders are found.

use common::database::store::StoreError;
use common::database::{Connection, Row, Statement, query};
use common::http::search_text::normalize_for_search;
use contracts::OrderId;

use super::read::from_json;
use crate::domain::CustomerInfo;

/// Separator between the parts of a text. No query contains it.
const SEPARATOR: char = '\u{1f}';

/// Selects orders without search text, locked, each with a flag for a deleted account.
pub static PENDING: Statement = Statement::new(|db| {
    let lock = db.row_lock("FOR UPDATE SKIP LOCKED");
    format!(
        "SELECT id, order_number, customer_info, EXISTS (SELECT 1 FROM customers
             WHERE customers.user_id = orders.user_id AND customers.deleted_at IS NOT NULL) AS deleted
         FROM orders WHERE search_text IS NULL ORDER BY id LIMIT $1 {lock}"
    )
});
/// Selects any order without search text.
pub const ANY_PENDING: &str = "SELECT 1 FROM orders WHERE search_text IS NULL LIMIT 1";
const UPDATE: &str = "UPDATE orders SET search_text = $1 WHERE id = $2";

/// Returns the text by which an order is found: its number, and the customer's e-mail address and name.
pub(super) fn search_text(number: &str, customer: &CustomerInfo) -> String {
    let CustomerInfo { first_name, last_name, email, .. } = customer;
    normalize_for_search(&format!("{number}{SEPARATOR}{email}{SEPARATOR}{first_name} {last_name}"))
}

/// Returns true if any order has no search text.
pub(super) async fn is_pending(db: &mut Connection) -> Result<bool, StoreError> {
    Ok(query(ANY_PENDING).fetch_optional(db).await?.is_some())
}

/// Derives the search texts of up to `limit` orders; returns their number. An order of a deleted account is found by its
/// number alone. A deletion that is not committed yet waits for the locked orders, and then replaces their texts.
pub(super) async fn index_pending(db: &mut Connection, limit: u32) -> Result<u64, StoreError> {
    let mut indexed = 0;
    for row in query(&PENDING).bind(limit).fetch_all(db).await? {
        let id: OrderId = row.get("id")?;
        query(UPDATE).bind(derive_text(&row)?).bind(id).execute(db).await?;
        indexed += 1;
    }
    Ok(indexed)
}

fn derive_text(row: &Row) -> Result<String, StoreError> {
    let number: &str = row.get("order_number")?;
    if row.get("deleted")? {
        return Ok(normalize_for_search(number));
    }
    Ok(search_text(number, &from_json(row.get("customer_info")?)?))
}
