//! Webhooks to be delivered: a row each, so that a restart forgets none.

use sqlx::{FromRow, SqliteConnection};

use crate::clock::Millis;

/// A webhook that is due.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Delivery {
    pub(crate) id: i64,
    /// The event's id.
    pub(crate) event: String,
    /// The event as it is sent.
    pub(crate) body: String,
    /// How often it was tried and not taken.
    pub(crate) attempts: u32,
    /// When it was first to be sent, in milliseconds.
    pub(crate) first_at: i64,
    /// The trace that it belongs to.
    pub(crate) traceparent: Option<String>,
}

/// What comes of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It was taken.
    Delivered,
    /// It is tried again then.
    Again(Millis),
    /// It was tried for long enough.
    Abandoned,
}

/// Plans to send an event at `at`, in the transaction of what it tells about and as part of the current trace.
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

/// What is due, the longest waiting first, at most `limit`.
pub(crate) async fn due(conn: &mut SqliteConnection, now: Millis, limit: usize) -> Result<Vec<Delivery>, sqlx::Error> {
    sqlx::query_as(
        "SELECT d.id, d.event, e.body, d.attempts, d.first_at, d.traceparent FROM deliveries d JOIN events e ON e.id = d.event
         WHERE d.state = 'pending' AND d.next_at <= ? ORDER BY d.next_at, d.id LIMIT ?",
    )
    .bind(now.0)
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(conn)
    .await
}

/// When the first of those that are not due yet will be.
pub(crate) async fn next_after(conn: &mut SqliteConnection, now: Millis) -> Result<Option<Millis>, sqlx::Error> {
    let at: Option<i64> =
        sqlx::query_scalar("SELECT min(next_at) FROM deliveries WHERE state = 'pending' AND next_at > ?")
            .bind(now.0)
            .fetch_one(conn)
            .await?;
    Ok(at.map(Millis))
}

/// Records an attempt. One that another process settled meanwhile stays as it is.
pub(crate) async fn record(conn: &mut SqliteConnection, id: i64, fate: Fate, result: &str) -> Result<(), sqlx::Error> {
    let (state, next_at) = match fate {
        Fate::Delivered => ("delivered", None),
        Fate::Again(at) => ("pending", Some(at.0)),
        Fate::Abandoned => ("abandoned", None),
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
