//! Payments in a PostgreSQL database.
//!
//! The order's row is made if there is none and then locked (`FOR UPDATE`), before anything of its payments is read.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use common::postgres::{Postgres, parse_col, renamed};
use common::store::StoreError;
use contracts::{OrderId, PaymentId, RefundId};
use sqlx::Row;
use sqlx::migrate::Migrator;
use sqlx::postgres::PgRow;
use sqlx::types::Uuid;

use super::{CONSTRAINT_INTENT, CONSTRAINT_ONE_OPEN_PAYMENT, PaymentRepository, ReconcileTask, UpdateFn};
use crate::domain::{OrderPayments, Payment, State};

pub mod read;
mod write;

/// The tables.
pub static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// The schema's names of the constraints that the port speaks of.
const CONSTRAINTS: &[(&str, &str)] =
    &[("payments_one_open", CONSTRAINT_ONE_OPEN_PAYMENT), ("payments_intent", CONSTRAINT_INTENT)];

/// Locks an order's row.
pub const LOCK: &str = "SELECT 1 FROM orders WHERE order_id = $1 FOR UPDATE";
/// The order of a payment.
pub const ORDER_ID_BY_PAYMENT: &str = "SELECT order_id FROM payments WHERE id = $1";
/// The order of an intent.
pub const ORDER_ID_BY_INTENT: &str = "SELECT order_id FROM payments WHERE intent = $1";
/// The order and the payment of a refund.
pub const ORDER_ID_BY_REFUND: &str =
    "SELECT p.order_id, p.id FROM refunds r JOIN payments p ON p.id = r.payment_id WHERE r.id = $1";
/// What is due and not leased, what webhooks named before all else, the oldest first: at what time, how many.
pub const DUE: &str = "SELECT order_id, payment_id, refund_id FROM (
        (SELECT true AS named, due_at, order_id, id AS payment_id, NULL::uuid AS refund_id FROM payments
         WHERE due_at IS NOT NULL AND hints IS NOT NULL AND GREATEST(due_at, lease_until) <= $1
         ORDER BY GREATEST(due_at, lease_until) LIMIT $2)
        UNION ALL
        (SELECT false, due_at, order_id, id, NULL FROM payments
         WHERE due_at IS NOT NULL AND hints IS NULL AND GREATEST(due_at, lease_until) <= $1
         ORDER BY GREATEST(due_at, lease_until) LIMIT $2)
        UNION ALL
        (SELECT false, r.due_at, p.order_id, p.id, r.id FROM (
            SELECT due_at, id, payment_id FROM refunds
            WHERE due_at IS NOT NULL AND GREATEST(due_at, lease_until) <= $1
            ORDER BY GREATEST(due_at, lease_until) LIMIT $2) r JOIN payments p ON p.id = r.payment_id)) due
    ORDER BY named DESC, due_at LIMIT $2";
/// When something falls due next: what is urged during a lease falls due when the lease ends, at the latest when it
/// runs out.
pub const NEXT_DUE: &str = "SELECT min(at) FROM (
        (SELECT GREATEST(due_at, lease_until) AS at FROM payments WHERE due_at IS NOT NULL
         ORDER BY GREATEST(due_at, lease_until) LIMIT 1)
        UNION ALL
        (SELECT GREATEST(due_at, lease_until) FROM refunds WHERE due_at IS NOT NULL
         ORDER BY GREATEST(due_at, lease_until) LIMIT 1)) next";

/// How many payments are in each of the open states.
pub const COUNT_OPEN: &str = "SELECT state, count(*) FROM payments
    WHERE state IN ('pending', 'processing', 'settling') GROUP BY state";

/// Number of refunds that need attention.
pub const COUNT_NEEDING_ATTENTION: &str = "SELECT count(*) FROM refunds WHERE needs_attention";

/// Payments in a PostgreSQL database.
pub struct PgPaymentRepository {
    db: Postgres,
}

impl PgPaymentRepository {
    /// The payments in an open database, which was migrated by [`MIGRATIONS`].
    #[must_use]
    pub const fn new(db: Postgres) -> Self {
        Self { db }
    }
}

#[async_trait]
impl PaymentRepository for PgPaymentRepository {
    async fn update(&self, order: OrderId, update: &mut UpdateFn<'_>) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let inserted = sqlx::query("INSERT INTO orders (order_id) VALUES ($1) ON CONFLICT DO NOTHING");
        inserted.bind(order.as_uuid()).execute(&mut *tx).await?;
        sqlx::query(LOCK).bind(order.as_uuid()).execute(&mut *tx).await?;
        let before = read::order_payments(&mut tx, order).await?.unwrap_or_else(|| OrderPayments::unknown(order));
        let mut after = before.clone();
        let Some(effects) = update(&mut after) else {
            tx.rollback().await?;
            return Ok(());
        };
        write::order_payments(&mut tx, &before, &after).await?;
        self.db.commit(tx, &effects).await
    }

    async fn find(&self, order: OrderId) -> Result<Option<OrderPayments>, StoreError> {
        // One snapshot, so that payments and refunds are of one moment.
        let mut tx = self.db.snapshot().await?;
        let order_payments = read::order_payments(&mut tx, order).await?;
        tx.commit().await?;
        Ok(order_payments)
    }

    async fn order_id_by_payment(&self, payment: PaymentId) -> Result<Option<OrderId>, StoreError> {
        let order = sqlx::query_scalar(ORDER_ID_BY_PAYMENT)
            .bind(payment.as_uuid())
            .fetch_optional(&mut *self.db.pool().acquire().await?)
            .await?;
        Ok(order.map(OrderId::from_uuid))
    }

    async fn order_id_by_intent(&self, intent: &str) -> Result<Option<OrderId>, StoreError> {
        let order = sqlx::query_scalar(ORDER_ID_BY_INTENT)
            .bind(intent)
            .fetch_optional(&mut *self.db.pool().acquire().await?)
            .await?;
        Ok(order.map(OrderId::from_uuid))
    }

    async fn order_id_by_refund(&self, refund: RefundId) -> Result<Option<(OrderId, PaymentId)>, StoreError> {
        let query = sqlx::query(ORDER_ID_BY_REFUND).bind(refund.as_uuid());
        let row = query.fetch_optional(&mut *self.db.pool().acquire().await?).await?;
        let read = |row: PgRow| {
            let order = OrderId::from_uuid(row.try_get("order_id")?);
            Ok((order, PaymentId::from_uuid(row.try_get("id")?)))
        };
        row.map(read).transpose()
    }

    async fn list_due_tasks(&self, now: DateTime<Utc>, limit: u32) -> Result<Vec<ReconcileTask>, StoreError> {
        let rows =
            sqlx::query(DUE).bind(now).bind(i64::from(limit)).fetch_all(&mut *self.db.pool().acquire().await?).await?;
        let read = |row: &PgRow| {
            let order = OrderId::from_uuid(row.try_get("order_id")?);
            let payment = PaymentId::from_uuid(row.try_get("payment_id")?);
            Ok(match row.try_get::<Option<Uuid>, _>("refund_id")? {
                Some(refund) => ReconcileTask::Refund(order, payment, RefundId::from_uuid(refund)),
                None => ReconcileTask::Payment(order, payment),
            })
        };
        rows.iter().map(read).collect()
    }

    async fn next_due_at(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        Ok(sqlx::query_scalar(NEXT_DUE).fetch_one(&mut *self.db.pool().acquire().await?).await?)
    }

    async fn count_open(&self) -> Result<Vec<(State, i64)>, StoreError> {
        let rows = sqlx::query(COUNT_OPEN).fetch_all(&mut *self.db.pool().acquire().await?).await?;
        rows.iter().map(|row| Ok((parse_col(row.try_get("state")?, "payment state")?, row.try_get("count")?))).collect()
    }

    async fn count_needing_attention(&self) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar(COUNT_NEEDING_ATTENTION).fetch_one(&mut *self.db.pool().acquire().await?).await?)
    }

    async fn audit_page(&self, after: Option<PaymentId>, limit: i64) -> Result<Vec<(Payment, bool)>, StoreError> {
        let mut tx = self.db.snapshot().await?;
        let payments = read::audited(&mut tx, after, limit).await?;
        tx.commit().await?;
        Ok(payments)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.db.ping().await
    }
}

/// A refusal of the database in the port's words.
fn refusal(error: sqlx::Error) -> StoreError {
    renamed(error, CONSTRAINTS)
}
