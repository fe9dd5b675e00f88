//! Idempotency keys and their stored responses.

use std::time::Duration;

use sqlx::{FromRow, SqliteConnection};

use crate::clock::Millis;

/// Retention time of a key (<https://docs.stripe.com/api/idempotent_requests>).
const RETENTION: Duration = Duration::from_secs(24 * 60 * 60);

/// First response under a key.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct StoredResponse {
    pub(crate) path: String,
    pub(crate) fingerprint: String,
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Finds the response of a key within the retention time.
pub(crate) async fn find(
    conn: &mut SqliteConnection,
    key: &str,
    now: Millis,
) -> Result<Option<StoredResponse>, sqlx::Error> {
    sqlx::query_as("SELECT path, fingerprint, status, body FROM idempotency_keys WHERE key = ? AND kept_at > ?")
        .bind(key)
        .bind(oldest(now))
        .fetch_optional(conn)
        .await
}

/// Stores a response, and deletes those beyond the retention time.
pub(crate) async fn insert(
    conn: &mut SqliteConnection,
    key: &str,
    response: &StoredResponse,
    now: Millis,
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM idempotency_keys WHERE kept_at <= ?").bind(oldest(now)).execute(&mut *conn).await?;
    sqlx::query(
        "INSERT INTO idempotency_keys (key, kept_at, path, fingerprint, status, body) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(key)
    .bind(now.0)
    .bind(&response.path)
    .bind(&response.fingerprint)
    .bind(response.status)
    .bind(&response.body)
    .execute(conn)
    .await?;
    Ok(())
}

fn oldest(now: Millis) -> i64 {
    now.0.saturating_sub(i64::try_from(RETENTION.as_millis()).unwrap_or(i64::MAX))
}
