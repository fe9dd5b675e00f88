//! Revocations in a service's PostgreSQL database.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{Postgres, Row};

use super::{RevocationRecord, RevocationStore, RevokedTokens};
use crate::database::store::{Pool, StoreError, parse_col};

/// Revocations in a PostgreSQL database.
pub(crate) struct PostgresRevocations(Pool<Postgres>);

impl PostgresRevocations {
    pub(crate) const fn new(pool: Pool<Postgres>) -> Self {
        Self(pool)
    }
}

#[async_trait]
impl RevocationStore for PostgresRevocations {
    async fn record(&self, records: &[RevocationRecord]) -> Result<(), StoreError> {
        let mut tx = self.0.begin().await?;
        for record in records {
            let (session, version) = match &record.tokens {
                RevokedTokens::Session(session) => (session.as_str(), 0),
                RevokedTokens::VersionsBelow(version) => ("", *version),
            };
            sqlx::query(
                "INSERT INTO access_revocations (user_id, session_id, min_version, recorded_at) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (user_id, session_id) DO UPDATE
                 SET min_version = excluded.min_version, recorded_at = excluded.recorded_at
                 WHERE excluded.min_version > access_revocations.min_version",
            )
            .bind(record.user_id.to_string())
            .bind(session)
            .bind(version)
            .bind(record.recorded_at)
            .execute(&mut *tx)
            .await?;
        }
        Ok(tx.commit().await?)
    }

    async fn recorded_since(&self, since: DateTime<Utc>) -> Result<Vec<RevocationRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT user_id, session_id, min_version, recorded_at FROM access_revocations WHERE recorded_at >= $1",
        )
        .bind(since)
        .fetch_all(&mut *self.0.acquire().await?)
        .await?;
        let record = |row: &PgRow| {
            let session: String = row.try_get("session_id")?;
            let tokens = if session.is_empty() {
                RevokedTokens::VersionsBelow(row.try_get("min_version")?)
            } else {
                RevokedTokens::Session(session)
            };
            let user_id = parse_col(row.try_get("user_id")?, "user id")?;
            Ok(RevocationRecord { user_id, tokens, recorded_at: row.try_get("recorded_at")? })
        };
        rows.iter().map(record).collect()
    }

    async fn remove_before(&self, before: DateTime<Utc>) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM access_revocations WHERE recorded_at < $1")
            .bind(before)
            .execute(&mut *self.0.acquire().await?)
            .await?;
        Ok(())
    }
}
