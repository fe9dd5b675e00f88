//! Customers: locks for placement, deletion, and totals of unpaid orders.

use chrono::{DateTime, Utc};
use common::database::store::StoreError;
use common::database::{Connection, Statement, query};
use contracts::{OrderId, UserId};

use super::{carts, statements};
use crate::domain::{Order, OrderError, UnpaidLimits, UnpaidTotals};

/// State of a customer whose row is locked until the transaction ends.
pub(super) struct LockedCustomer {
    deleted_at: Option<DateTime<Utc>>,
}

impl LockedCustomer {
    /// Returns whether the account is deleted.
    pub(super) const fn is_deleted(&self) -> bool {
        self.deleted_at.is_some()
    }
}

/// Locks the row of a customer, which is inserted if there is none, against deletion and other changes.
pub(super) async fn lock(db: &mut Connection, user: UserId) -> Result<LockedCustomer, StoreError> {
    lock_by(db, &statements::LOCK_CUSTOMER, user).await
}

async fn lock_by(db: &mut Connection, lock: &'static Statement, user: UserId) -> Result<LockedCustomer, StoreError> {
    let mut row = query(lock).bind(user).fetch_optional(db).await?;
    if row.is_none() {
        query(statements::INSERT_CUSTOMER).bind(user).execute(db).await?;
        row = query(lock).bind(user).fetch_optional(db).await?;
    }
    let row = row.ok_or_else(|| StoreError::Decode(format!("customer {user} has no row")))?;
    Ok(LockedCustomer { deleted_at: row.get("deleted_at")? })
}

/// Checks that an order may be inserted. The customer's row stays locked until the transaction ends.
pub(super) async fn lock_and_check_limits(
    db: &mut Connection,
    order: &Order,
    limits: UnpaidLimits,
) -> Result<Result<(), OrderError>, StoreError> {
    let lock = if limits.is_unlimited() { &statements::SHARE_CUSTOMER } else { &statements::LOCK_CUSTOMER };
    if lock_by(db, lock, order.user_id).await?.is_deleted() {
        return Ok(Err(OrderError::AccountDeleted));
    }
    if limits.is_unlimited() {
        return Ok(Ok(()));
    }
    // A separate statement, which sees orders that were committed while the lock was awaited.
    Ok(limits.check(unpaid_totals(db, order.user_id).await?, order.pieces()))
}

/// Records the deletion of a customer, and deletes the customer's carts. Returns the unpaid orders.
pub(super) async fn mark_deleted(
    db: &mut Connection,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<Vec<OrderId>, StoreError> {
    // Waits for orders that are being inserted; the next statement then sees them.
    query(statements::MARK_CUSTOMER_DELETED).bind(user).bind(now).execute(db).await?;
    carts::delete_by_user(db, user).await?;
    query(statements::UNPAID_IDS).bind(user).fetch_scalars(db).await
}

/// Returns the totals of a customer's unpaid orders.
pub(super) async fn unpaid_totals(db: &mut Connection, user: UserId) -> Result<UnpaidTotals, StoreError> {
    let row = query(statements::UNPAID_TOTALS).bind(user).fetch_one(db).await?;
    Ok(UnpaidTotals { orders: row.get("orders")?, pieces: row.get("pieces")? })
}
