//! SQL adapter of the payment repository, for SQLite and PostgreSQL.
//!
//! An update inserts the order's row if it is missing and locks it before it reads the payments, so that updates of one
//! order are serialised.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use common::database::store::StoreError;
use common::database::{Database, Migrations, Page, Period, Row, Start, Statement, query};
use contracts::{OrderId, PaymentId, RefundId};

use super::{PaymentFilter, PaymentRepository, ReconcileTask, RefundFilter, Totals, UpdateFn};
use crate::domain::{OrderPayments, Payment, RefundOfPayment, State};

mod aggregate;
pub mod lists;
mod payments;
mod refunds;

/// Migrations of the tables.
pub static MIGRATIONS: Migrations =
    Migrations { sqlite: sqlx::migrate!("migrations/sqlite"), postgres: sqlx::migrate!("migrations/postgres") };

static ORDER_ID_BY_PAYMENT: Statement = Statement::new(|_| "SELECT order_id FROM payments WHERE id = $1".to_owned());
static ORDER_ID_BY_INTENT: Statement = Statement::new(|_| "SELECT order_id FROM payments WHERE intent = $1".to_owned());
static ORDER_ID_BY_REFUND: Statement = Statement::new(|_| {
    "SELECT p.order_id, p.id FROM refunds r JOIN payments p ON p.id = r.payment_id WHERE r.id = $1".to_owned()
});
/// Due tasks without a valid lease, the most urgent kind first, then oldest first: refunds to be sent, which move money and
/// are not bound by the rate limit of reads; payments with hints; other open payments and refunds; checks of succeeded
/// refunds, of which there are many. Parameters: time, limit.
static DUE: Statement = Statement::new(|db| {
    let free_at = db.greatest("due_at", "lease_until");
    let due = format!("due_at IS NOT NULL AND due_at <= $1 AND {free_at} <= $1");
    let refunds = |priority: u8, filter: &str| {
        format!(
            "SELECT {priority} AS priority, r.due_at, p.order_id, p.id AS payment_id, r.id AS refund_id FROM (
                 SELECT due_at, id, payment_id FROM refunds WHERE {due} AND {filter} ORDER BY {free_at} LIMIT $2) r
             JOIN payments p ON p.id = r.payment_id"
        )
    };
    let payments = |priority: u8, filter: &str| {
        format!(
            "SELECT {priority}, due_at, order_id, id, NULL FROM (
                 SELECT due_at, order_id, id FROM payments WHERE {due} AND {filter} ORDER BY {free_at} LIMIT $2) p{priority}"
        )
    };
    let kinds = [
        refunds(0, "status <> 'succeeded' AND provider_refund IS NULL"),
        payments(1, "hints IS NOT NULL"),
        payments(2, "hints IS NULL"),
        refunds(2, "status <> 'succeeded' AND provider_refund IS NOT NULL"),
        refunds(3, "status = 'succeeded'"),
    ];
    format!(
        "SELECT order_id, payment_id, refund_id FROM ({}) due ORDER BY priority, due_at LIMIT $2",
        kinds.join(" UNION ALL ")
    )
});
/// Time of the next due task. A task rescheduled under a lease falls due at the expiry of the lease at the latest.
static NEXT_DUE_AT: Statement = Statement::new(|db| {
    let free_at = db.greatest("due_at", "lease_until");
    let first = |table: &str| {
        format!("SELECT {free_at} AS free_at FROM {table} WHERE due_at IS NOT NULL ORDER BY {free_at} LIMIT 1")
    };
    let (payments, refunds) = (first("payments"), first("refunds"));
    format!(
        "SELECT min(free_at) FROM (
             SELECT free_at FROM ({payments}) p UNION ALL SELECT free_at FROM ({refunds}) r) next"
    )
});
const COUNT_OPEN: &str = "SELECT state, count(*) AS count FROM payments
    WHERE state IN ('pending', 'processing', 'settling') GROUP BY state";
static COUNT_NEEDING_ATTENTION: Statement =
    Statement::new(|_| "SELECT count(*) FROM refunds WHERE needs_attention".to_owned());

/// Returns the frequent statements, none of which may scan a whole table.
#[must_use]
pub fn frequent_statements() -> [&'static Statement; 13] {
    [
        &aggregate::LOCKED_ORDER,
        &aggregate::ORDER,
        &payments::BY_ORDER,
        &payments::AUDIT_PAGE,
        &refunds::BY_PAYMENTS,
        &ORDER_ID_BY_PAYMENT,
        &ORDER_ID_BY_INTENT,
        &ORDER_ID_BY_REFUND,
        &DUE,
        &NEXT_DUE_AT,
        &COUNT_NEEDING_ATTENTION,
        &lists::PAYMENT_CREATED_AT,
        &lists::REFUND_CREATED_AT,
    ]
}

/// Payment repository in a SQL database.
pub struct SqlPaymentRepository {
    db: Database,
}

impl SqlPaymentRepository {
    /// Creates a repository over a database migrated by [`MIGRATIONS`].
    #[must_use]
    pub const fn new(db: Database) -> Self {
        Self { db }
    }
}

#[async_trait]
impl PaymentRepository for SqlPaymentRepository {
    async fn update(&self, order: OrderId, update: &mut UpdateFn<'_>) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let before = aggregate::lock(&mut tx, order).await?;
        let mut after = before.clone();
        let Some(effects) = update(&mut after) else { return tx.rollback().await };
        aggregate::store(&mut tx, &before, &after).await?;
        self.db.commit(tx, &effects).await
    }

    async fn find(&self, order: OrderId) -> Result<Option<OrderPayments>, StoreError> {
        // One snapshot, so that payments and refunds are consistent.
        let mut tx = self.db.snapshot().await?;
        let found = aggregate::find(&mut tx, order).await?;
        tx.commit().await?;
        Ok(found)
    }

    async fn order_id_by_payment(&self, payment: PaymentId) -> Result<Option<OrderId>, StoreError> {
        query(&ORDER_ID_BY_PAYMENT).bind(payment).fetch_optional_scalar(&mut self.db.reader().await?).await
    }

    async fn order_id_by_intent(&self, intent: &str) -> Result<Option<OrderId>, StoreError> {
        query(&ORDER_ID_BY_INTENT).bind(intent).fetch_optional_scalar(&mut self.db.reader().await?).await
    }

    async fn order_id_by_refund(&self, refund: RefundId) -> Result<Option<(OrderId, PaymentId)>, StoreError> {
        let row = query(&ORDER_ID_BY_REFUND).bind(refund).fetch_optional(&mut self.db.reader().await?).await?;
        row.map(|row| Ok((row.get("order_id")?, row.get("id")?))).transpose()
    }

    async fn list_due_tasks(&self, now: DateTime<Utc>, limit: u32) -> Result<Vec<ReconcileTask>, StoreError> {
        let rows = query(&DUE).bind(now).bind(limit).fetch_all(&mut self.db.reader().await?).await?;
        rows.iter().map(map_task).collect()
    }

    async fn next_due_at(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        query(&NEXT_DUE_AT).fetch_scalar(&mut self.db.reader().await?).await
    }

    async fn count_open(&self) -> Result<Vec<(State, i64)>, StoreError> {
        let rows = query(COUNT_OPEN).fetch_all(&mut self.db.reader().await?).await?;
        rows.iter().map(|row| Ok((row.parse("state")?, row.get("count")?))).collect()
    }

    async fn count_needing_attention(&self) -> Result<i64, StoreError> {
        query(&COUNT_NEEDING_ATTENTION).fetch_scalar(&mut self.db.reader().await?).await
    }

    async fn audit_page(&self, after: Option<PaymentId>, limit: i64) -> Result<Vec<(Payment, bool)>, StoreError> {
        let mut tx = self.db.snapshot().await?;
        let page = aggregate::audit_page(&mut tx, after, limit).await?;
        tx.commit().await?;
        Ok(page)
    }

    async fn list_payments(
        &self,
        filter: PaymentFilter,
        start: Start<PaymentId>,
        limit: i64,
    ) -> Result<Option<Page<Payment>>, StoreError> {
        let mut tx = self.db.snapshot().await?;
        let page = lists::list_payments(&mut tx, &filter, start, limit).await?;
        tx.commit().await?;
        Ok(page)
    }

    async fn list_refunds(
        &self,
        filter: RefundFilter,
        start: Start<RefundId>,
        limit: i64,
    ) -> Result<Option<Page<RefundOfPayment>>, StoreError> {
        let mut tx = self.db.snapshot().await?;
        let page = lists::list_refunds(&mut tx, &filter, start, limit).await?;
        tx.commit().await?;
        Ok(page)
    }

    async fn totals(&self, currency: &str, period: Period) -> Result<Totals, StoreError> {
        let mut tx = self.db.snapshot().await?;
        let totals = lists::totals(&mut tx, currency, period).await?;
        tx.commit().await?;
        Ok(totals)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.db.ping().await
    }
}

fn map_task(row: &Row) -> Result<ReconcileTask, StoreError> {
    let (order, payment) = (row.get("order_id")?, row.get("payment_id")?);
    Ok(match row.get("refund_id")? {
        Some(refund) => ReconcileTask::Refund(order, payment, refund),
        None => ReconcileTask::Payment(order, payment),
    })
}

/// Returns the statement that inserts a row with an id (`$1`) and these columns (from `$2`).
fn insert_text(table: &str, columns: &str) -> String {
    let values: Vec<_> = columns.split(", ").zip(2..).map(|(_, number)| format!("${number}")).collect();
    format!("INSERT INTO {table} (id, {columns}) VALUES ($1, {})", values.join(", "))
}

/// Returns the statement that updates these columns (from `$2`) of the row with an id (`$1`).
fn update_text(table: &str, columns: &str) -> String {
    let values: Vec<_> = columns.split(", ").zip(2..).map(|(column, number)| format!("{column} = ${number}")).collect();
    format!("UPDATE {table} SET {} WHERE id = $1", values.join(", "))
}

/// Checks that a statement changed exactly one row.
fn one_row(changed: u64) -> Result<(), StoreError> {
    if changed == 1 { Ok(()) } else { Err(StoreError::Decode(format!("{changed} rows were changed instead of one"))) }
}
