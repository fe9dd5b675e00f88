//! Reading an account.

use std::collections::HashMap;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use common::sqlite::{from_ms, parse_col};
use common::store::StoreError;
use contracts::{Money, OrderId, PaymentId};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

use super::super::decode_list;
use crate::domain::{Captured, Lease, LeasedTask, OrderPayments, OrderRecord, OrderTerms, Payment, Refund};

/// The account of an order; `None` if it has no row.
pub(super) async fn order_payments(
    db: &mut SqliteConnection,
    id: OrderId,
) -> Result<Option<OrderPayments>, StoreError> {
    let order = sqlx::query("SELECT * FROM orders WHERE order_id = ?").bind(id.to_string()).fetch_optional(&mut *db);
    let Some(order) = order.await? else { return Ok(None) };
    let rows = sqlx::query("SELECT * FROM payments WHERE order_id = ? ORDER BY created_at, rowid");
    let rows = rows.bind(id.to_string()).fetch_all(&mut *db).await?;
    Ok(Some(OrderPayments::new(record(&order, id)?, whole(db, &rows).await?)))
}

/// Payments by id, those after `after`, and whether their orders are cancelled.
pub(super) async fn audited(
    db: &mut SqliteConnection,
    after: Option<PaymentId>,
    limit: i64,
) -> Result<Vec<(Payment, bool)>, StoreError> {
    let after = after.map(|id| id.to_string()).unwrap_or_default();
    let rows = sqlx::query(
        "SELECT *, (SELECT o.cancelled_at FROM orders o WHERE o.order_id = payments.order_id) IS NOT NULL
         AS order_cancelled FROM payments WHERE id > ? ORDER BY id LIMIT ?",
    );
    let rows = rows.bind(after).bind(limit).fetch_all(&mut *db).await?;
    let payments = whole(db, &rows).await?;
    payments.into_iter().zip(&rows).map(|(payment, row)| Ok((payment, row.try_get("order_cancelled")?))).collect()
}

/// The payments of these rows with their refunds.
async fn whole(db: &mut SqliteConnection, rows: &[SqliteRow]) -> Result<Vec<Payment>, StoreError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids = rows.iter().map(|row| row.try_get("id")).collect::<Result<Vec<String>, _>>()?;
    let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM refunds WHERE payment_id IN (");
    let mut list = query.separated(", ");
    for id in &ids {
        list.push_bind(id.clone());
    }
    query.push(") ORDER BY position");
    let mut by_payment: HashMap<String, Vec<Refund>> = HashMap::new();
    for row in query.build().fetch_all(&mut *db).await? {
        by_payment.entry(row.try_get("payment_id")?).or_default().push(refund(&row)?);
    }
    let read = rows.iter().zip(&ids).map(|(row, id)| payment(row, by_payment.remove(id).unwrap_or_default()));
    read.collect()
}

fn record(row: &SqliteRow, id: OrderId) -> Result<OrderRecord, StoreError> {
    let user_id = optional(row, "user_id")?;
    let total: Option<i64> = row.try_get("total")?;
    let currency: Option<String> = row.try_get("currency")?;
    let terms = user_id.zip(total).zip(currency);
    let terms =
        terms.map(|((user_id, total), currency)| OrderTerms { user_id, total: Money::from_cents(total), currency });
    Ok(OrderRecord { id, terms, cancelled_at: time(row, "cancelled_at")? })
}

fn payment(row: &SqliteRow, refunds: Vec<Refund>) -> Result<Payment, StoreError> {
    let captured: Option<i64> = row.try_get("captured")?;
    let currency: Option<String> = row.try_get("captured_currency")?;
    let captured = captured.zip(currency);
    Ok(Payment {
        id: text(row, "id")?,
        order_id: text(row, "order_id")?,
        user_id: text(row, "user_id")?,
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
        idle_fetches: row.try_get("idle_looks")?,
        last_idle_fetch_at: time(row, "idle_look_at")?,
        trace: row.try_get("trace")?,
        description: row.try_get("description")?,
        failure_reason: row.try_get("failure_reason")?,
        metadata: row.try_get("metadata")?,
        version: row.try_get("version")?,
        created_at: from_ms(row.try_get("created_at")?)?,
        updated_at: from_ms(row.try_get("updated_at")?)?,
        processed_at: time(row, "processed_at")?,
        refunded_at: time(row, "refunded_at")?,
        task: task(row)?,
        refunds,
    })
}

fn refund(row: &SqliteRow) -> Result<Refund, StoreError> {
    Ok(Refund {
        id: text(row, "id")?,
        amount: money(row, "amount")?,
        status: text(row, "status")?,
        cause: text(row, "cause")?,
        reason: row.try_get("reason")?,
        external: row.try_get("external")?,
        provider_refund_id: row.try_get("provider_refund")?,
        failure_reason: row.try_get("failure")?,
        attempts: row.try_get("attempts")?,
        needs_attention: row.try_get("needs_attention")?,
        settled: row.try_get("settled")?,
        paid_twice: row.try_get("paid_twice")?,
        actor: optional(row, "actor")?,
        previous_provider_ids: decode_list(row.try_get("former")?)?,
        created_at: from_ms(row.try_get("created_at")?)?,
        updated_at: from_ms(row.try_get("updated_at")?)?,
        task: task(row)?,
    })
}

fn task(row: &SqliteRow) -> Result<LeasedTask, StoreError> {
    let lease = optional(row, "lease_token")?.zip(time(row, "lease_until")?);
    Ok(LeasedTask {
        due_at: time(row, "due_at")?,
        polls: row.try_get("tries")?,
        lease: lease.map(|(token, until)| Lease { token, until }),
        attempt: row.try_get("attempt")?,
        unknown_outcome: optional(row, "doubt")?,
        called_at: time(row, "called_at")?,
    })
}

fn text<T: FromStr>(row: &SqliteRow, column: &'static str) -> Result<T, StoreError> {
    parse_col(row.try_get(column)?, column)
}

fn optional<T: FromStr>(row: &SqliteRow, column: &'static str) -> Result<Option<T>, StoreError> {
    row.try_get::<Option<&str>, _>(column)?.map(|text| parse_col(text, column)).transpose()
}

fn money(row: &SqliteRow, column: &'static str) -> Result<Money, StoreError> {
    Ok(Money::from_cents(row.try_get(column)?))
}

fn time(row: &SqliteRow, column: &'static str) -> Result<Option<DateTime<Utc>>, StoreError> {
    row.try_get::<Option<i64>, _>(column)?.map(from_ms).transpose()
}
