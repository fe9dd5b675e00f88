//! Webhook deliveries in the ledger, which survive a restart.

use sqlx::{FromRow, SqliteConnection};

use crate::clock::Millis;

/// Delivery that is due.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Delivery {
    pub(crate) id: i64,
    /// Id of the event.
    pub(crate) event: String,
    /// Event as it is sent.
    pub(crate) body: String,
    /// Number of failed attempts.
    pub(crate) attempts: u32,
    /// Time of the first attempt in milliseconds.
    pub(crate) first_at: i64,
    /// Trace of the request that caused the event.
    pub(crate) traceparent: Option<String>,
}

/// Outcome of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeliveryOutcome {
    /// Delivery outcome: accepted by the receiver.
    Delivered,
    /// Delivery outcome: retry at this time.
    Retry(Millis),
    /// Delivery outcome: end of the retries.
    Abandoned,
}

/// Schedules the delivery of an event as part of the current trace.
pub(crate) async fn insert(conn: &mut SqliteConnection, event: &str, at: Millis) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO deliveries (event, first_at, next_at, traceparent) VALUES (?, ?, ?, ?)")
        .bind(event)
        .bind(at.0)
        .bind(at.0)
        .bind(trace_context::traceparent())
        .execute(conn)
        .await?;
    Ok(())
}

/// Lists due deliveries, the oldest first.
pub(crate) async fn list_due(
    conn: &mut SqliteConnection,
    now: Millis,
    limit: usize,
) -> Result<Vec<Delivery>, sqlx::Error> {
    sqlx::query_as(
        "SELECT d.id, d.event, e.body, d.attempts, d.first_at, d.traceparent FROM deliveries d JOIN events e ON e.id = d.event
         WHERE d.state = 'pending' AND d.next_at <= ? ORDER BY d.next_at, d.id LIMIT ?",
    )
    .bind(now.0)
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(conn)
    .await
}

/// Returns the time of the next delivery that is not due yet.
pub(crate) async fn next_due_after(conn: &mut SqliteConnection, now: Millis) -> Result<Option<Millis>, sqlx::Error> {
    let at: Option<i64> =
        sqlx::query_scalar("SELECT min(next_at) FROM deliveries WHERE state = 'pending' AND next_at > ?")
            .bind(now.0)
            .fetch_one(conn)
            .await?;
    Ok(at.map(Millis))
}

/// Records an attempt, unless another process completed the delivery meanwhile.
pub(crate) async fn record(
    conn: &mut SqliteConnection,
    id: i64,
    outcome: DeliveryOutcome,
    result: &str,
) -> Result<(), sqlx::Error> {
    let (state, next_at) = match outcome {
        DeliveryOutcome::Delivered => ("delivered", None),
        DeliveryOutcome::Retry(at) => ("pending", Some(at.0)),
        DeliveryOutcome::Abandoned => ("abandoned", None),
    };
    sqlx::query(
        "UPDATE deliveries SET state = ?, attempts = attempts + 1, next_at = coalesce(?, next_at), last_result = ?
         WHERE id = ? AND state = 'pending'",
    )
    .bind(state)
    .bind(next_at)
    .bind(result)
    .bind(id)
    .execute(conn)
    .await?;
    Ok(())
}
