//! Persons, as far as placing orders needs them: a lock, and whether the account was deleted.

use chrono::{DateTime, Utc};
use common::store::StoreError;
use contracts::UserId;
use sqlx::{PgConnection, Row};

use crate::domain::{Order, OrderError, UnpaidLimits, UnpaidTotals};

/// UnpaidTotals orders of a person: how many, and how many pieces in them.
pub const UNPAID: &str = "SELECT count(DISTINCT o.id) AS orders, coalesce(sum(i.quantity), 0)::BIGINT AS pieces
    FROM orders o JOIN order_items i ON i.order_id = o.id
    WHERE o.user_id = $1 AND o.captured = 0 AND o.status IN ('pending', 'confirmed')";
/// Ids of the unpaid orders of a person.
pub const UNPAID_IDS: &str = "SELECT id FROM orders
    WHERE user_id = $1 AND captured = 0 AND status IN ('pending', 'confirmed') ORDER BY id";
/// Locks a person against deletion and against other orders.
pub const LOCKED: &str = "SELECT deleted_at FROM customers WHERE user_id = $1 FOR NO KEY UPDATE";
/// Locks a person against deletion only.
pub const SHARED: &str = "SELECT deleted_at FROM customers WHERE user_id = $1 FOR SHARE";

/// Decides whether an order may be written. The person stays locked until the transaction ends.
pub(super) async fn admit(
    db: &mut PgConnection,
    order: &Order,
    limits: UnpaidLimits,
) -> Result<Result<(), OrderError>, StoreError> {
    let lock = if limits.is_unlimited() { SHARED } else { LOCKED };
    let mut row = sqlx::query(lock).bind(order.user_id.as_uuid()).fetch_optional(&mut *db).await?;
    if row.is_none() {
        let insert = sqlx::query("INSERT INTO customers (user_id) VALUES ($1) ON CONFLICT DO NOTHING");
        insert.bind(order.user_id.as_uuid()).execute(&mut *db).await?;
        row = sqlx::query(lock).bind(order.user_id.as_uuid()).fetch_optional(&mut *db).await?;
    }
    let row = row.ok_or_else(|| StoreError::Corrupt(format!("person {} has no row", order.user_id)))?;
    if row.try_get::<Option<DateTime<Utc>>, _>("deleted_at")?.is_some() {
        return Ok(Err(OrderError::AccountDeleted));
    }
    if limits.is_unlimited() {
        return Ok(Ok(()));
    }
    // A statement of its own: it sees what was committed while the lock was waited for.
    Ok(limits.check(unpaid(db, order.user_id).await?, order.pieces()))
}

pub(super) async fn unpaid(db: &mut PgConnection, user: UserId) -> Result<UnpaidTotals, StoreError> {
    let row = sqlx::query(UNPAID).bind(user.as_uuid()).fetch_one(db).await?;
    Ok(UnpaidTotals { orders: row.try_get("orders")?, pieces: row.try_get("pieces")? })
}
