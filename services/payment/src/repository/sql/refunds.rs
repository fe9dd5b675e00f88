//! Rows of refunds, and the columns of tasks that payments and refunds share.

use std::collections::HashMap;

use common::database::store::StoreError;
use common::database::{Connection, Query, Row, Statement, query};
use contracts::{Actor, PaymentId};

use super::{insert_text, update_text};
use crate::domain::{Lease, LeasedTask, Refund, UnknownOutcome};
use crate::repository::{decode_list, encode_list};

/// Columns except the id and the task, in the order in which [`bind`] binds them.
const COLUMNS: &str = "payment_id, position, amount, status, cause, reason, external, provider_refund, failure, attempts, \
    needs_attention, settled, paid_twice, actor, former, created_at, updated_at";
/// Columns of a task, in the order in which [`bind_task`] binds them.
pub(super) const TASK_COLUMNS: &str = "due_at, tries, lease_token, lease_until, attempt, doubt, called_at";

pub(super) fn all_columns() -> String {
    format!("{COLUMNS}, {TASK_COLUMNS}")
}

pub(super) static INSERT: Statement = Statement::new(|_| insert_text("refunds", &all_columns()));
pub(super) static UPDATE: Statement = Statement::new(|_| update_text("refunds", &all_columns()));
/// Refunds of some payments, in the order of their creation.
pub(super) static BY_PAYMENTS: Statement = Statement::new(|db| {
    format!("SELECT id, {} FROM refunds WHERE payment_id {} ORDER BY position", all_columns(), db.any("$1"))
});

/// Returns the refunds of these payments, by payment.
pub(super) async fn fetch_grouped(
    db: &mut Connection,
    payments: &[PaymentId],
) -> Result<HashMap<PaymentId, Vec<Refund>>, StoreError> {
    let mut by_payment: HashMap<_, Vec<_>> = HashMap::new();
    for row in query(&BY_PAYMENTS).bind(payments).fetch_all(db).await? {
        by_payment.entry(row.get("payment_id")?).or_default().push(map(&row)?);
    }
    Ok(by_payment)
}

pub(super) fn bind<'q>(query: Query<'q>, payment: PaymentId, position: i64, refund: &'q Refund) -> Query<'q> {
    let query = query
        .bind(refund.id)
        .bind(payment)
        .bind(position)
        .bind(refund.amount)
        .bind(refund.status.as_str())
        .bind(refund.cause.as_str())
        .bind(&refund.reason)
        .bind(refund.external)
        .bind(&refund.provider_refund_id)
        .bind(&refund.failure_reason)
        .bind(refund.attempts)
        .bind(refund.needs_attention)
        .bind(refund.settled)
        .bind(refund.paid_twice)
        .bind((refund.actor != Actor::System).then(|| refund.actor.to_string()))
        .bind(encode_list(&refund.previous_provider_ids))
        .bind(refund.created_at)
        .bind(refund.updated_at);
    bind_task(query, &refund.task)
}

pub(super) fn bind_task<'q>(query: Query<'q>, task: &LeasedTask) -> Query<'q> {
    query
        .bind(task.due_at)
        .bind(task.polls)
        .bind(task.lease.map(|lease| lease.token.to_string()))
        .bind(task.lease.map(|lease| lease.until))
        .bind(task.attempt)
        .bind(task.unknown_outcome.map(UnknownOutcome::as_str))
        .bind(task.called_at)
}

pub(super) fn map(row: &Row) -> Result<Refund, StoreError> {
    Ok(Refund {
        id: row.get("id")?,
        amount: row.get("amount")?,
        status: row.parse("status")?,
        cause: row.parse("cause")?,
        reason: row.get("reason")?,
        external: row.get("external")?,
        provider_refund_id: row.get("provider_refund")?,
        failure_reason: row.get("failure")?,
        attempts: row.get("attempts")?,
        needs_attention: row.get("needs_attention")?,
        settled: row.get("settled")?,
        paid_twice: row.get("paid_twice")?,
        actor: row.parse_optional("actor")?.unwrap_or_default(),
        previous_provider_ids: decode_list(row.get("former")?)?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
        task: map_task(row)?,
    })
}

pub(super) fn map_task(row: &Row) -> Result<LeasedTask, StoreError> {
    let lease = row.parse_optional("lease_token")?.zip(row.get("lease_until")?);
    Ok(LeasedTask {
        due_at: row.get("due_at")?,
        polls: row.get("tries")?,
        lease: lease.map(|(token, until)| Lease { token, until }),
        attempt: row.get("attempt")?,
        unknown_outcome: row.parse_optional("doubt")?,
        called_at: row.get("called_at")?,
    })
}
