//! Revocations in a service's SQLite file.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Row, Sqlite};

use super::{RevocationRecord, RevocationStore, RevokedTokens};
use crate::database::codec::{from_millis as from_ms, to_millis as ms};
use crate::database::sqlite_file::BEGIN;
use crate::database::store::parse_col;
use crate::database::store::{Pool, StoreError};

/// Revocations in a SQLite file.
pub(crate) struct SqliteRevocations {
    read: Pool<Sqlite>,
    write: Pool<Sqlite>,
}

impl SqliteRevocations {
    pub(crate) const fn new(read: Pool<Sqlite>, write: Pool<Sqlite>) -> Self {
        Self { read, write }
    }
}

#[async_trait]
impl RevocationStore for SqliteRevocations {
    async fn record(&self, records: &[RevocationRecord]) -> Result<(), StoreError> {
        let mut tx = self.write.begin_with(BEGIN).await?;
        for record in records {
            let (session, version) = match &record.tokens {
                RevokedTokens::Session(session) => (session.as_str(), 0),
                RevokedTokens::VersionsBelow(version) => ("", *version),
            };
            sqlx::query(
                "INSERT INTO access_revocations (user_id, session_id, min_version, recorded_at) VALUES (?, ?, ?, ?)
                 ON CONFLICT (user_id, session_id) DO UPDATE
                 SET min_version = excluded.min_version, recorded_at = excluded.recorded_at
                 WHERE excluded.min_version > min_version",
            )
            .bind(record.user_id.to_string())
            .bind(session)
            .bind(version)
            .bind(ms(record.recorded_at))
            .execute(&mut *tx)
            .await?;
        }
        Ok(tx.commit().await?)
    }

    async fn recorded_since(&self, since: DateTime<Utc>) -> Result<Vec<RevocationRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT user_id, session_id, min_version, recorded_at FROM access_revocations WHERE recorded_at >= ?",
        )
        .bind(ms(since))
        .fetch_all(&mut *self.read.acquire().await?)
        .await?;
        let record = |row: &sqlx::sqlite::SqliteRow| {
            let session: String = row.try_get("session_id")?;
            let tokens = if session.is_empty() {
                RevokedTokens::VersionsBelow(row.try_get("min_version")?)
            } else {
                RevokedTokens::Session(session)
            };
            let user_id = parse_col(row.try_get("user_id")?, "user id")?;
            Ok(RevocationRecord { user_id, tokens, recorded_at: from_ms(row.try_get("recorded_at")?)? })
        };
        rows.iter().map(record).collect()
    }

    async fn remove_before(&self, before: DateTime<Utc>) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM access_revocations WHERE recorded_at < ?")
            .bind(ms(before))
            .execute(&mut *self.write.acquire().await?)
            .await?;
        Ok(())
    }
}
