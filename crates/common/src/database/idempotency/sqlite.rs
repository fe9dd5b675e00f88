//! Idempotency keys in a service's SQLite file.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Row, Sqlite, SqliteConnection};
use uuid::Uuid;

use super::{Begun, Claim, Found, Judged, KeptAnswer, KeyStore, Keyed, KeyedRequest, Turn, judge};
use crate::database::codec::{from_millis as from_ms, to_millis as ms};
use crate::database::sqlite_file::BEGIN;
use crate::database::store::{Pool, StoreError};

/// Writes what becomes of a key within a transaction.
///
/// # Errors
/// [`StoreError::LeaseLost`] if somebody else has taken it up.
pub(crate) async fn write(tx: &mut SqliteConnection, keyed: &Keyed) -> Result<(), StoreError> {
    let answer = keyed.answer.as_ref();
    let updated = sqlx::query(
        "UPDATE idempotency_keys SET resource = coalesce(?, resource), status = ?, location = ?, body = ?
         WHERE caller = ? AND key = ? AND token = ? AND status IS NULL",
    )
    .bind(&keyed.resource)
    .bind(answer.map(|answer| i64::from(answer.status)))
    .bind(answer.and_then(|answer| answer.location.as_deref()))
    .bind(answer.map(|answer| &answer.body))
    .bind(&keyed.claim.caller)
    .bind(&keyed.claim.key)
    .bind(keyed.claim.token.to_string())
    .execute(tx)
    .await?;
    if updated.rows_affected() == 1 { Ok(()) } else { Err(StoreError::LeaseLost) }
}

/// Keys in a SQLite file.
pub(crate) struct SqliteKeys(Pool<Sqlite>);

impl SqliteKeys {
    /// Over the connection that writes.
    pub(crate) const fn new(write: Pool<Sqlite>) -> Self {
        Self(write)
    }
}

#[async_trait]
impl KeyStore for SqliteKeys {
    async fn begin(
        &self,
        request: &KeyedRequest,
        token: Uuid,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        forgotten: DateTime<Utc>,
    ) -> Result<Begun, StoreError> {
        let mut tx = self.0.begin_with(BEGIN).await?;
        let old = sqlx::query("DELETE FROM idempotency_keys WHERE created_at <= ?");
        old.bind(ms(forgotten)).execute(&mut *tx).await?;
        let row = sqlx::query(
            "SELECT hash, fingerprint, lease_until, resource, status, location, body FROM idempotency_keys
             WHERE caller = ? AND key = ?",
        )
        .bind(&request.caller)
        .bind(&request.key)
        .fetch_optional(&mut *tx)
        .await?;
        let claim = Claim { caller: request.caller.clone(), key: request.key.clone(), token };
        let Some(row) = row else {
            sqlx::query(
                "INSERT INTO idempotency_keys (caller, key, hash, token, lease_until, created_at, fingerprint)
                 VALUES (?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(&request.caller)
            .bind(&request.key)
            .bind(&request.hash[..])
            .bind(token.to_string())
            .bind(ms(until))
            .bind(ms(now))
            .bind(&request.fingerprint)
            .execute(&mut *tx)
            .await?;
            tx.commit().await?;
            return Ok(Begun::Go(Turn { claim, resource: None }));
        };
        let status: Option<u16> = row.try_get("status")?;
        let answer = match status {
            Some(status) => Some(KeptAnswer { status, location: row.try_get("location")?, body: row.try_get("body")? }),
            None => None,
        };
        let until_then = from_ms(row.try_get("lease_until")?)?;
        let (hash, fingerprint) = (row.try_get("hash")?, row.try_get("fingerprint")?);
        let found = Found { hash, fingerprint, resource: row.try_get("resource")?, until: until_then, answer };
        match judge(request, found, now) {
            Judged::Say(begun) => {
                tx.commit().await?;
                Ok(begun)
            }
            Judged::TakeUp(resource) => {
                sqlx::query("UPDATE idempotency_keys SET token = ?, lease_until = ? WHERE caller = ? AND key = ?")
                    .bind(token.to_string())
                    .bind(ms(until))
                    .bind(&request.caller)
                    .bind(&request.key)
                    .execute(&mut *tx)
                    .await?;
                tx.commit().await?;
                Ok(Begun::Go(Turn { claim, resource }))
            }
        }
    }

    async fn forget(&self, claim: &Claim) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM idempotency_keys WHERE caller = ? AND key = ? AND token = ? AND status IS NULL")
            .bind(&claim.caller)
            .bind(&claim.key)
            .bind(claim.token.to_string())
            .execute(&mut *self.0.acquire().await?)
            .await?;
        Ok(())
    }
}
