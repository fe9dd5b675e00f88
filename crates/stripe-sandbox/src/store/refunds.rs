//! Refunds in the ledger.

use sqlx::SqliteConnection;

use crate::clock::Millis;
use crate::model::refund::{Refund, RefundStatus};

/// Finds a refund by id.
pub(crate) async fn find(conn: &mut SqliteConnection, id: &str) -> Result<Option<Refund>, sqlx::Error> {
    sqlx::query_as("SELECT * FROM refunds WHERE id = ?").bind(id).fetch_optional(conn).await
}

/// Inserts a refund.
pub(crate) async fn insert(conn: &mut SqliteConnection, refund: &Refund) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO refunds (id, created, charge, payment_intent, amount, currency, status, reason, metadata,
             settle_at, settle_as, traceparent)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&refund.id)
    .bind(refund.created)
    .bind(&refund.charge)
    .bind(&refund.payment_intent)
    .bind(refund.amount)
    .bind(&refund.currency)
    .bind(refund.status)
    .bind(&refund.reason)
    .bind(&refund.metadata)
    .bind(refund.settle_at)
    .bind(refund.settle_as)
    .bind(&refund.traceparent)
    .execute(conn)
    .await?;
    Ok(())
}

/// Lists refunds that are due for settlement, the oldest first.
pub(crate) async fn list_due(conn: &mut SqliteConnection, now: Millis) -> Result<Vec<Refund>, sqlx::Error> {
    sqlx::query_as("SELECT * FROM refunds WHERE settle_at <= ? ORDER BY settle_at, seq LIMIT 100")
        .bind(now.0)
        .fetch_all(conn)
        .await
}

/// Returns the time of the next settlement.
pub(crate) async fn next_due_at(conn: &mut SqliteConnection) -> Result<Option<Millis>, sqlx::Error> {
    let at: Option<i64> =
        sqlx::query_scalar("SELECT min(settle_at) FROM refunds WHERE settle_at IS NOT NULL").fetch_one(conn).await?;
    Ok(at.map(Millis))
}

/// Records the final status of a refund.
pub(crate) async fn settle(
    conn: &mut SqliteConnection,
    id: &str,
    status: RefundStatus,
    failure_reason: Option<&str>,
) -> Result<(), sqlx::Error> {
    let changed = sqlx::query(
        "UPDATE refunds SET status = ?, failure_reason = ?, settle_at = NULL, settle_as = NULL
         WHERE id = ? AND settle_at IS NOT NULL",
    )
    .bind(status)
    .bind(failure_reason)
    .bind(id)
    .execute(conn)
    .await?;
    super::expect_one_row(changed.rows_affected())
}
