//! Persons, as far as placing orders needs them: whether the account was deleted.

use common::store::StoreError;
use contracts::UserId;
use sqlx::{Row, SqliteConnection};

use crate::domain::{Order, OrderError, UnpaidLimits, UnpaidTotals};

/// Decides whether an order may be written. The writer's lock keeps others out until the transaction ends.
pub(super) async fn admit(
    db: &mut SqliteConnection,
    order: &Order,
    limits: UnpaidLimits,
) -> Result<Result<(), OrderError>, StoreError> {
    let deleted = sqlx::query("SELECT 1 FROM customers WHERE user_id = ? AND deleted_at IS NOT NULL");
    if deleted.bind(order.user_id.to_string()).fetch_optional(&mut *db).await?.is_some() {
        return Ok(Err(OrderError::AccountDeleted));
    }
    if limits.is_unlimited() {
        return Ok(Ok(()));
    }
    Ok(limits.check(unpaid(db, order.user_id).await?, order.pieces()))
}

/// UnpaidTotals orders of a person: how many, and how many pieces in them.
pub(super) async fn unpaid(db: &mut SqliteConnection, user: UserId) -> Result<UnpaidTotals, StoreError> {
    let query = sqlx::query(
        "SELECT count(DISTINCT o.id) AS orders, coalesce(sum(i.quantity), 0) AS pieces
         FROM orders o JOIN order_items i ON i.order_id = o.id
         WHERE o.user_id = ? AND o.captured = 0 AND o.status IN ('pending', 'confirmed')",
    );
    let row = query.bind(user.to_string()).fetch_one(db).await?;
    Ok(UnpaidTotals { orders: row.try_get("orders")?, pieces: row.try_get("pieces")? })
}
