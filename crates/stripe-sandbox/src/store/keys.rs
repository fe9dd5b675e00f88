//! Idempotency keys and the answers that they got.

use std::time::Duration;

use sqlx::{FromRow, SqliteConnection};

use crate::clock::Millis;

/// How long a key is kept (<https://docs.stripe.com/api/idempotent_requests>).
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// The first answer under a key.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Kept {
    pub(crate) path: String,
    pub(crate) fingerprint: String,
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// What the key got, unless that is a day ago.
pub(crate) async fn find(conn: &mut SqliteConnection, key: &str, now: Millis) -> Result<Option<Kept>, sqlx::Error> {
    sqlx::query_as("SELECT path, fingerprint, status, body FROM idempotency_keys WHERE key = ? AND kept_at > ?")
        .bind(key)
        .bind(oldest(now))
        .fetch_optional(conn)
        .await
}

/// Keeps an answer, in the transaction of its effect, and forgets what is older than a day.
pub(crate) async fn insert(
    conn: &mut SqliteConnection,
    key: &str,
    kept: &Kept,
    now: Millis,
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM idempotency_keys WHERE kept_at <= ?").bind(oldest(now)).execute(&mut *conn).await?;
    sqlx::query(
        "INSERT INTO idempotency_keys (key, kept_at, path, fingerprint, status, body) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(key)
    .bind(now.0)
    .bind(&kept.path)
    .bind(&kept.fingerprint)
    .bind(kept.status)
    .bind(&kept.body)
    .execute(conn)
    .await?;
    Ok(())
}

fn oldest(now: Millis) -> i64 {
    now.0.saturating_sub(i64::try_from(KEPT.as_millis()).unwrap_or(i64::MAX))
}
