//! SQL rows of payments.

use common::database::store::StoreError;
use common::database::{Query, Row, Statement};
use contracts::api::RefundCause;

use super::refunds::{TASK_COLUMNS, bind_task, map_task};
use super::{insert_text, update_text};
use crate::domain::{Captured, Payment, Refund};
use crate::repository::{decode_list, encode_list};

/// Columns except the id and the task, in the order in which [`bind`] binds them.
const COLUMNS: &str = "order_id, user_id, amount, currency, method, state, intent, closed, stop, transaction_id, external, \
    captured, captured_currency, unwanted, announced, sync_refunds, hints, idle_looks, idle_look_at, trace, description, \
    failure_reason, metadata, version, created_at, updated_at, processed_at, refunded_at";

pub(super) fn all_columns() -> String {
    format!("{COLUMNS}, {TASK_COLUMNS}")
}

pub(super) static INSERT: Statement = Statement::new(|_| insert_text("payments", &all_columns()));
pub(super) static UPDATE: Statement = Statement::new(|_| update_text("payments", &all_columns()));
/// Payments of an order, oldest first. The ids of one millisecond ascend in the order of their creation.
pub(super) static BY_ORDER: Statement = Statement::new(|_| {
    format!("SELECT id, {} FROM payments WHERE order_id = $1 ORDER BY created_at, id", all_columns())
});
/// Payments after an id, each with a flag for a cancelled order. Parameters: id, limit.
pub(super) static AUDIT_PAGE: Statement = Statement::new(|_| {
    format!(
        "SELECT id, {}, (SELECT o.cancelled_at FROM orders o WHERE o.order_id = payments.order_id) IS NOT NULL
             AS order_cancelled
         FROM payments WHERE id > $1 ORDER BY id LIMIT $2",
        all_columns()
    )
});

pub(super) fn bind<'q>(query: Query<'q>, payment: &'q Payment) -> Query<'q> {
    let captured = payment.captured.as_ref();
    let query = query
        .bind(payment.id)
        .bind(payment.order_id)
        .bind(payment.user_id)
        .bind(payment.amount)
        .bind(&payment.currency)
        .bind(payment.method.as_str())
        .bind(payment.state.as_str())
        .bind(&payment.intent)
        .bind(payment.intent_closed)
        .bind(payment.cancel_requested)
        .bind(&payment.transaction_id)
        .bind(payment.external)
        .bind(captured.map(|captured| captured.amount))
        .bind(captured.map(|captured| &captured.currency))
        .bind(payment.refund_cause.map(RefundCause::as_str))
        .bind(payment.refunds_announced)
        .bind(payment.sync_refunds)
        .bind(encode_list(&payment.hints))
        .bind(payment.idle_fetches)
        .bind(payment.last_idle_fetch_at)
        .bind(&payment.trace)
        .bind(&payment.description)
        .bind(&payment.failure_reason)
        .bind(&payment.metadata)
        .bind(payment.version)
        .bind(payment.created_at)
        .bind(payment.updated_at)
        .bind(payment.processed_at)
        .bind(payment.refunded_at);
    bind_task(query, &payment.task)
}

pub(super) fn map(row: &Row, refunds: Vec<Refund>) -> Result<Payment, StoreError> {
    let captured = row.get::<Option<_>>("captured")?.zip(row.get("captured_currency")?);
    Ok(Payment {
        id: row.get("id")?,
        order_id: row.get("order_id")?,
        user_id: row.get("user_id")?,
        amount: row.get("amount")?,
        currency: row.get("currency")?,
        method: row.parse("method")?,
        state: row.parse("state")?,
        intent: row.get("intent")?,
        intent_closed: row.get("closed")?,
        cancel_requested: row.get("stop")?,
        transaction_id: row.get("transaction_id")?,
        external: row.get("external")?,
        captured: captured.map(|(amount, currency)| Captured { amount, currency }),
        refund_cause: row.parse_optional("unwanted")?,
        refunds_announced: row.get("announced")?,
        sync_refunds: row.get("sync_refunds")?,
        hints: decode_list(row.get("hints")?)?,
        idle_fetches: row.get("idle_looks")?,
        last_idle_fetch_at: row.get("idle_look_at")?,
        trace: row.get("trace")?,
        description: row.get("description")?,
        failure_reason: row.get("failure_reason")?,
        metadata: row.get("metadata")?,
        version: row.get("version")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
        processed_at: row.get("processed_at")?,
        refunded_at: row.get("refunded_at")?,
        task: map_task(row)?,
        refunds,
    })
}
