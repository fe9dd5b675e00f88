//! Reading an account.

use std::collections::HashMap;
use std::str::FromStr;

use common::postgres::parse_col;
use common::store::StoreError;
use contracts::{Money, OrderId, PaymentId, RefundId, UserId};
use sqlx::postgres::PgRow;
use sqlx::types::Uuid;
use sqlx::{PgConnection, Row};

use super::super::decode_list;
use crate::domain::{Captured, Lease, LeasedTask, OrderPayments, OrderRecord, OrderTerms, Payment, Refund};

/// Columns of a payment. They are named, since a prepared `SELECT *` fails once there are others.
macro_rules! columns {
    () => {
        "id, order_id, user_id, amount, currency, method, state, intent, closed, stop, transaction_id, \
         external, captured, captured_currency, unwanted, announced, sync_refunds, hints, idle_looks, idle_look_at, trace, \
         description, failure_reason, metadata, version, created_at, updated_at, processed_at, \
         refunded_at, due_at, tries, lease_token, lease_until, attempt, doubt, called_at"
    };
}

/// What is known of an order.
pub const ORDER: &str = "SELECT user_id, total, currency, cancelled_at FROM orders WHERE order_id = $1";
/// Its payments.
pub const PAYMENTS: &str =
    concat!("SELECT ", columns!(), " FROM payments WHERE order_id = $1 ORDER BY created_at, seq");
/// Refunds of some payments.
pub const REFUNDS: &str = "SELECT id, payment_id, amount, status, cause, reason, external, provider_refund, failure,
    attempts, needs_attention, settled, paid_twice, actor, former, created_at, updated_at, due_at, tries, lease_token,
    lease_until, attempt, doubt, called_at FROM refunds WHERE payment_id = ANY($1) ORDER BY position";
/// Payments by id, from one on, and whether their orders are cancelled.
pub const AUDITED: &str = concat!(
    "SELECT ",
    columns!(),
    ", (SELECT o.cancelled_at FROM orders o WHERE o.order_id = payments.order_id) IS NOT NULL
        AS order_cancelled FROM payments WHERE id > $1 ORDER BY id LIMIT $2"
);

/// The account of an order; `None` if it has no row.
pub(super) async fn order_payments(db: &mut PgConnection, id: OrderId) -> Result<Option<OrderPayments>, StoreError> {
    let order = sqlx::query(ORDER).bind(id.as_uuid()).fetch_optional(&mut *db).await?;
    let Some(order) = order else { return Ok(None) };
    let rows = sqlx::query(PAYMENTS).bind(id.as_uuid()).fetch_all(&mut *db).await?;
    Ok(Some(OrderPayments::new(record(&order, id)?, whole(db, &rows).await?)))
}

/// Payments by id, those after `after`, and whether their orders are cancelled.
pub(super) async fn audited(
    db: &mut PgConnection,
    after: Option<PaymentId>,
    limit: i64,
) -> Result<Vec<(Payment, bool)>, StoreError> {
    let after = after.map_or(Uuid::nil(), |id| id.as_uuid());
    let rows = sqlx::query(AUDITED).bind(after).bind(limit).fetch_all(&mut *db).await?;
    let payments = whole(db, &rows).await?;
    payments.into_iter().zip(&rows).map(|(payment, row)| Ok((payment, row.try_get("order_cancelled")?))).collect()
}

/// The payments of these rows with their refunds.
async fn whole(db: &mut PgConnection, rows: &[PgRow]) -> Result<Vec<Payment>, StoreError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids = rows.iter().map(|row| row.try_get("id")).collect::<Result<Vec<Uuid>, _>>()?;
    let mut by_payment: HashMap<Uuid, Vec<Refund>> = HashMap::new();
    for row in sqlx::query(REFUNDS).bind(&ids).fetch_all(&mut *db).await? {
        by_payment.entry(row.try_get("payment_id")?).or_default().push(refund(&row)?);
    }
    let read = rows.iter().zip(&ids).map(|(row, id)| payment(row, by_payment.remove(id).unwrap_or_default()));
    read.collect()
}

fn record(row: &PgRow, id: OrderId) -> Result<OrderRecord, StoreError> {
    let user_id: Option<Uuid> = row.try_get("user_id")?;
    let total: Option<i64> = row.try_get("total")?;
    let currency: Option<String> = row.try_get("currency")?;
    let terms = user_id.zip(total).zip(currency).map(|((user_id, total), currency)| OrderTerms {
        user_id: UserId::from_uuid(user_id),
        total: Money::from_cents(total),
        currency,
    });
    Ok(OrderRecord { id, terms, cancelled_at: row.try_get("cancelled_at")? })
}

fn payment(row: &PgRow, refunds: Vec<Refund>) -> Result<Payment, StoreError> {
    let captured: Option<i64> = row.try_get("captured")?;
    let currency: Option<String> = row.try_get("captured_currency")?;
    let captured = captured.zip(currency);
    Ok(Payment {
        id: PaymentId::from_uuid(row.try_get("id")?),
        order_id: OrderId::from_uuid(row.try_get("order_id")?),
        user_id: UserId::from_uuid(row.try_get("user_id")?),
        amount: money(row, "amount")?,
        currency: row.try_get("currency")?,
        method: text(row, "method")?,
        state: text(row, "state")?,
        intent: row.try_get("intent")?,
        intent_closed: row.try_get("closed")?,
        cancel_requested: row.try_get("stop")?,
        transaction_id: row.try_get("transaction_id")?,
        external: row.try_get("external")?,
        captured: captured.map(|(amount, currency)| Captured { amount: Money::from_cents(amount), currency }),
        refund_cause: optional(row, "unwanted")?,
        refunds_announced: money(row, "announced")?,
        sync_refunds: row.try_get("sync_refunds")?,
        hints: decode_list(row.try_get("hints")?)?,
        idle_fetches: count(row, "idle_looks")?,
        last_idle_fetch_at: row.try_get("idle_look_at")?,
        trace: row.try_get("trace")?,
        description: row.try_get("description")?,
        failure_reason: row.try_get("failure_reason")?,
        metadata: row.try_get("metadata")?,
        version: row.try_get("version")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
        processed_at: row.try_get("processed_at")?,
        refunded_at: row.try_get("refunded_at")?,
        task: task(row)?,
        refunds,
    })
}

fn refund(row: &PgRow) -> Result<Refund, StoreError> {
    Ok(Refund {
        id: RefundId::from_uuid(row.try_get("id")?),
        amount: money(row, "amount")?,
        status: text(row, "status")?,
        cause: text(row, "cause")?,
        reason: row.try_get("reason")?,
        external: row.try_get("external")?,
        provider_refund_id: row.try_get("provider_refund")?,
        failure_reason: row.try_get("failure")?,
        attempts: count(row, "attempts")?,
        needs_attention: row.try_get("needs_attention")?,
        settled: row.try_get("settled")?,
        paid_twice: row.try_get("paid_twice")?,
        actor: optional(row, "actor")?,
        previous_provider_ids: decode_list(row.try_get("former")?)?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
        task: task(row)?,
    })
}

fn task(row: &PgRow) -> Result<LeasedTask, StoreError> {
    let lease = optional(row, "lease_token")?.zip(row.try_get("lease_until")?);
    Ok(LeasedTask {
        due_at: row.try_get("due_at")?,
        polls: count(row, "tries")?,
        lease: lease.map(|(token, until)| Lease { token, until }),
        attempt: count(row, "attempt")?,
        unknown_outcome: optional(row, "doubt")?,
        called_at: row.try_get("called_at")?,
    })
}

fn count(row: &PgRow, column: &'static str) -> Result<u32, StoreError> {
    u32::try_from(row.try_get::<i64, _>(column)?).map_err(|error| StoreError::Corrupt(error.to_string()))
}

fn text<T: FromStr>(row: &PgRow, column: &'static str) -> Result<T, StoreError> {
    parse_col(row.try_get(column)?, column)
}

fn optional<T: FromStr>(row: &PgRow, column: &'static str) -> Result<Option<T>, StoreError> {
    row.try_get::<Option<&str>, _>(column)?.map(|text| parse_col(text, column)).transpose()
}

fn money(row: &PgRow, column: &'static str) -> Result<Money, StoreError> {
    Ok(Money::from_cents(row.try_get(column)?))
}
