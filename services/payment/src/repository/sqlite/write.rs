//! Writing what changed of an account.

use chrono::{DateTime, Utc};
use common::sqlite::ms;
use common::store::StoreError;
use contracts::PaymentId;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::super::encode_list;
use crate::domain::{LeasedTask, OrderPayments, Payment, Refund};

/// Writes the rows of `after` that are not those of `before`.
///
/// Payments that are no longer open go first: an order may not have two open ones even for a moment.
pub(super) async fn order_payments(
    db: &mut SqliteConnection,
    before: &OrderPayments,
    after: &OrderPayments,
) -> Result<(), StoreError> {
    if after.order != before.order {
        order(db, after).await?;
    }
    let known = |id: PaymentId| before.payments.iter().find(|known| known.id == id);
    let mut changed: Vec<_> = after.payments.iter().filter(|one| known(one.id) != Some(one)).collect();
    // What gives an intent up goes before what takes it over.
    changed.sort_by_key(|payment| (payment.state.is_open(), payment.intent.is_some()));
    for payment in changed {
        let known = known(payment.id);
        write_payment(db, payment, known.is_some()).await?;
        for (position, refund) in payment.refunds.iter().enumerate() {
            let known = known.and_then(|known| known.refunds.get(position));
            if known != Some(refund) {
                write_refund(db, payment.id, position, refund, known.is_some()).await?;
            }
        }
    }
    Ok(())
}

async fn order(db: &mut SqliteConnection, order_payments: &OrderPayments) -> Result<(), StoreError> {
    let terms = order_payments.order.terms.as_ref();
    let query = "UPDATE orders SET user_id = ?, total = ?, currency = ?, cancelled_at = ? WHERE order_id = ?";
    let done = sqlx::query(query)
        .bind(terms.map(|terms| terms.user_id.to_string()))
        .bind(terms.map(|terms| terms.total.cents()))
        .bind(terms.map(|terms| terms.currency.clone()))
        .bind(time(order_payments.order.cancelled_at))
        .bind(order_payments.order.id.to_string())
        .execute(db)
        .await?;
    one_row(done.rows_affected())
}

async fn write_payment(db: &mut SqliteConnection, payment: &Payment, known: bool) -> Result<(), StoreError> {
    let captured = payment.captured.as_ref();
    let mut row = Upsert::new("payments", payment.id.to_string(), known);
    row.set("order_id", payment.order_id.to_string())
        .set("user_id", payment.user_id.to_string())
        .set("amount", payment.amount.cents())
        .set("currency", payment.currency.clone())
        .set("method", payment.method.as_str())
        .set("state", payment.state.as_str())
        .set("intent", payment.intent.clone())
        .set("closed", payment.intent_closed)
        .set("stop", payment.cancel_requested)
        .set("transaction_id", payment.transaction_id.clone())
        .set("external", payment.external)
        .set("captured", captured.map(|captured| captured.amount.cents()))
        .set("captured_currency", captured.map(|captured| captured.currency.clone()))
        .set("unwanted", payment.refund_cause.map(contracts::calls::RefundCause::as_str))
        .set("announced", payment.refunds_announced.cents())
        .set("sync_refunds", payment.sync_refunds)
        .set("hints", encode_list(&payment.hints))
        .set("idle_looks", i64::from(payment.idle_fetches))
        .set("idle_look_at", time(payment.last_idle_fetch_at))
        .set("trace", payment.trace.clone())
        .set("description", payment.description.clone())
        .set("failure_reason", payment.failure_reason.clone())
        .set("metadata", payment.metadata.clone())
        .set("version", payment.version)
        .set("created_at", ms(payment.created_at))
        .set("updated_at", ms(payment.updated_at))
        .set("processed_at", time(payment.processed_at))
        .set("refunded_at", time(payment.refunded_at));
    row.set_task(&payment.task);
    row.execute(db).await
}

async fn write_refund(
    db: &mut SqliteConnection,
    payment: PaymentId,
    position: usize,
    refund: &Refund,
    known: bool,
) -> Result<(), StoreError> {
    let position = i64::try_from(position).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let mut row = Upsert::new("refunds", refund.id.to_string(), known);
    row.set("payment_id", payment.to_string())
        .set("position", position)
        .set("amount", refund.amount.cents())
        .set("status", refund.status.as_str())
        .set("cause", refund.cause.as_str())
        .set("reason", refund.reason.clone())
        .set("external", refund.external)
        .set("provider_refund", refund.provider_refund_id.clone())
        .set("failure", refund.failure_reason.clone())
        .set("attempts", i64::from(refund.attempts))
        .set("needs_attention", refund.needs_attention)
        .set("settled", refund.settled)
        .set("paid_twice", refund.paid_twice)
        .set("actor", refund.actor.as_ref().map(ToString::to_string))
        .set("former", encode_list(&refund.previous_provider_ids))
        .set("created_at", ms(refund.created_at))
        .set("updated_at", ms(refund.updated_at));
    row.set_task(&refund.task);
    row.execute(db).await
}

/// A row with the columns that are set, to be inserted or updated.
struct Upsert {
    table: &'static str,
    id: String,
    known: bool,
    columns: Vec<(&'static str, Value)>,
}

enum Value {
    Text(Option<String>),
    Integer(Option<i64>),
}

impl Upsert {
    fn new(table: &'static str, id: String, known: bool) -> Self {
        Self { table, id, known, columns: Vec::with_capacity(32) }
    }

    fn set(&mut self, column: &'static str, value: impl Into<Value>) -> &mut Self {
        self.columns.push((column, value.into()));
        self
    }

    fn set_task(&mut self, task: &LeasedTask) {
        self.set("due_at", time(task.due_at))
            .set("tries", i64::from(task.polls))
            .set("lease_token", task.lease.map(|lease| lease.token.to_string()))
            .set("lease_until", time(task.lease.map(|lease| lease.until)))
            .set("attempt", i64::from(task.attempt))
            .set("doubt", task.unknown_outcome.map(crate::domain::UnknownOutcome::as_str))
            .set("called_at", time(task.called_at));
    }

    async fn execute(self, db: &mut SqliteConnection) -> Result<(), StoreError> {
        let mut query = QueryBuilder::<Sqlite>::new("");
        if self.known {
            query.push("UPDATE ").push(self.table).push(" SET ");
            for (at, (column, value)) in self.columns.into_iter().enumerate() {
                query.push(if at == 0 { "" } else { ", " }).push(column).push(" = ");
                value.bind(&mut query);
            }
            query.push(" WHERE id = ").push_bind(self.id);
        } else {
            query.push("INSERT INTO ").push(self.table).push(" (id");
            for (column, _) in &self.columns {
                query.push(", ").push(*column);
            }
            query.push(") VALUES (").push_bind(self.id);
            for (_, value) in self.columns {
                query.push(", ");
                value.bind(&mut query);
            }
            query.push(")");
        }
        one_row(query.build().execute(db).await?.rows_affected())
    }
}

impl Value {
    fn bind(self, query: &mut QueryBuilder<Sqlite>) {
        match self {
            Self::Text(text) => query.push_bind(text),
            Self::Integer(integer) => query.push_bind(integer),
        };
    }
}

macro_rules! values {
    ($($type:ty => $variant:ident($value:ident) $convert:expr;)*) => {
        $(impl From<$type> for Value {
            fn from($value: $type) -> Self {
                Self::$variant($convert)
            }
        })*
    };
}

values! {
    String => Text(value) Some(value);
    Option<String> => Text(value) value;
    &'static str => Text(value) Some(value.to_owned());
    Option<&'static str> => Text(value) value.map(str::to_owned);
    i64 => Integer(value) Some(value);
    Option<i64> => Integer(value) value;
    bool => Integer(value) Some(i64::from(value));
}

fn time(time: Option<DateTime<Utc>>) -> Option<i64> {
    time.map(ms)
}

fn one_row(rows: u64) -> Result<(), StoreError> {
    if rows == 1 { Ok(()) } else { Err(StoreError::Corrupt(format!("{rows} rows were changed instead of one"))) }
}
