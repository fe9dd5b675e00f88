//! Revocations in a service's database.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{RevocationRecord, RevocationStore, RevokedTokens};
use crate::database::handle::Database;
use crate::database::query::query;
use crate::database::row::Row;
use crate::database::store::StoreError;

const RECORD: &str =
    "INSERT INTO access_revocations (user_id, session_id, min_version, recorded_at) VALUES ($1, $2, $3, $4)
     ON CONFLICT (user_id, session_id) DO UPDATE
     SET min_version = excluded.min_version, recorded_at = excluded.recorded_at
     WHERE excluded.min_version > access_revocations.min_version";

/// Revocations in a database.
#[derive(Debug)]
struct SqlRevocations(Database);

impl Database {
    /// Returns the store of revocations.
    #[must_use]
    pub fn revocation_store(&self) -> Arc<dyn RevocationStore> {
        Arc::new(SqlRevocations(self.clone()))
    }
}

#[async_trait]
impl RevocationStore for SqlRevocations {
    async fn record(&self, records: &[RevocationRecord]) -> Result<(), StoreError> {
        let mut tx = self.0.begin().await?;
        for record in records {
            // A row without a session is about the account's versions.
            let (session, version) = match &record.tokens {
                RevokedTokens::Session(session) => (session.as_str(), 0),
                RevokedTokens::VersionsBelow(version) => ("", *version),
            };
            query(RECORD)
                .bind(record.user_id.to_string())
                .bind(session)
                .bind(version)
                .bind(record.recorded_at)
                .execute(&mut tx)
                .await?;
        }
        tx.commit().await
    }

    async fn recorded_since(&self, since: DateTime<Utc>) -> Result<Vec<RevocationRecord>, StoreError> {
        let rows = query(
            "SELECT user_id, session_id, min_version, recorded_at FROM access_revocations WHERE recorded_at >= $1",
        )
        .bind(since)
        .fetch_all(&mut self.0.reader().await?)
        .await?;
        rows.iter().map(read).collect()
    }

    async fn remove_before(&self, before: DateTime<Utc>) -> Result<(), StoreError> {
        let delete = query("DELETE FROM access_revocations WHERE recorded_at < $1").bind(before);
        delete.execute(&mut self.0.writer().await?).await?;
        Ok(())
    }
}

fn read(row: &Row) -> Result<RevocationRecord, StoreError> {
    let session: String = row.get("session_id")?;
    let tokens = if session.is_empty() {
        RevokedTokens::VersionsBelow(row.get("min_version")?)
    } else {
        RevokedTokens::Session(session)
    };
    Ok(RevocationRecord { user_id: row.parse("user_id")?, tokens, recorded_at: row.get("recorded_at")? })
}
