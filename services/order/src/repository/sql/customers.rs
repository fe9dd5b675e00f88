//! Customers: locks for placement, deletion, and totals of unpaid orders.

use chrono::{DateTime, Utc};
use common::database::store::StoreError;
use common::database::{Connection, query};
use contracts::{OrderId, UserId};

use super::statements;
use crate::domain::{Order, OrderError, UnpaidLimits, UnpaidTotals};

/// Checks that an order may be inserted. The customer's row stays locked until the transaction ends.
pub(super) async fn lock_and_check_limits(
    db: &mut Connection,
    order: &Order,
    limits: UnpaidLimits,
) -> Result<Result<(), OrderError>, StoreError> {
    let lock = if limits.is_unlimited() { &statements::SHARE_CUSTOMER } else { &statements::LOCK_CUSTOMER };
    let mut row = query(lock).bind(order.user_id).fetch_optional(db).await?;
    if row.is_none() {
        query(statements::INSERT_CUSTOMER).bind(order.user_id).execute(db).await?;
        row = query(lock).bind(order.user_id).fetch_optional(db).await?;
    }
    let row = row.ok_or_else(|| StoreError::Decode(format!("customer {} has no row", order.user_id)))?;
    if row.get::<Option<DateTime<Utc>>>("deleted_at")?.is_some() {
        return Ok(Err(OrderError::AccountDeleted));
    }
    if limits.is_unlimited() {
        return Ok(Ok(()));
    }
    // A separate statement, which sees orders that were committed while the lock was awaited.
    Ok(limits.check(unpaid_totals(db, order.user_id).await?, order.pieces()))
}

/// Records the deletion of a customer. Returns the customer's unpaid orders.
pub(super) async fn mark_deleted(
    db: &mut Connection,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<Vec<OrderId>, StoreError> {
    // Waits for orders that are being inserted; the next statement then sees them.
    query(statements::MARK_CUSTOMER_DELETED).bind(user).bind(now).execute(db).await?;
    query(statements::UNPAID_IDS).bind(user).fetch_scalars(db).await
}

/// Returns the totals of a customer's unpaid orders.
pub(super) async fn unpaid_totals(db: &mut Connection, user: UserId) -> Result<UnpaidTotals, StoreError> {
    let row = query(statements::UNPAID_TOTALS).bind(user).fetch_one(db).await?;
    Ok(UnpaidTotals { orders: row.get("orders")?, pieces: row.get("pieces")? })
}
