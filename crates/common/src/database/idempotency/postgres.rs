//! Idempotency keys in a service's PostgreSQL database.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Postgres, Row};
use uuid::Uuid;

use super::{Begun, Claim, Found, Judged, KeptAnswer, KeyStore, Keyed, KeyedRequest, Turn, judge};
use crate::database::store::{Pool, StoreError};

/// Removes the key that is asked for, if it is old, and a few others that are.
const SWEEP: &str = "DELETE FROM idempotency_keys WHERE (caller = $2 AND key = $3 AND created_at <= $1) OR (caller, key) IN (
    SELECT caller, key FROM idempotency_keys WHERE created_at <= $1 ORDER BY created_at LIMIT 10 FOR UPDATE SKIP LOCKED)";

/// Writes what becomes of a key within a transaction.
///
/// # Errors
/// [`StoreError::LeaseLost`] if somebody else has taken it up.
pub(crate) async fn write(tx: &mut PgConnection, keyed: &Keyed) -> Result<(), StoreError> {
    let answer = keyed.answer.as_ref();
    let updated = sqlx::query(
        "UPDATE idempotency_keys SET resource = coalesce($1, resource), status = $2, location = $3, body = $4
         WHERE caller = $5 AND key = $6 AND token = $7 AND status IS NULL",
    )
    .bind(&keyed.resource)
    .bind(answer.map(|answer| i32::from(answer.status)))
    .bind(answer.and_then(|answer| answer.location.as_deref()))
    .bind(answer.map(|answer| &answer.body))
    .bind(&keyed.claim.caller)
    .bind(&keyed.claim.key)
    .bind(keyed.claim.token)
    .execute(tx)
    .await?;
    if updated.rows_affected() == 1 { Ok(()) } else { Err(StoreError::LeaseLost) }
}

/// Keys in a PostgreSQL database.
pub(crate) struct PostgresKeys(Pool<Postgres>);

impl PostgresKeys {
    pub(crate) const fn new(pool: Pool<Postgres>) -> Self {
        Self(pool)
    }
}

#[async_trait]
impl KeyStore for PostgresKeys {
    async fn begin(
        &self,
        request: &KeyedRequest,
        token: Uuid,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        forgotten: DateTime<Utc>,
    ) -> Result<Begun, StoreError> {
        let mut tx = self.0.begin().await?;
        sqlx::query(SWEEP).bind(forgotten).bind(&request.caller).bind(&request.key).execute(&mut *tx).await?;
        let claim = Claim { caller: request.caller.clone(), key: request.key.clone(), token };
        // Waits for another try that is writing the same key at this moment.
        let inserted = sqlx::query(
            "INSERT INTO idempotency_keys (caller, key, hash, token, lease_until, created_at, fingerprint)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        )
        .bind(&request.caller)
        .bind(&request.key)
        .bind(&request.hash[..])
        .bind(token)
        .bind(until)
        .bind(now)
        .bind(&request.fingerprint)
        .execute(&mut *tx)
        .await?;
        if inserted.rows_affected() == 1 {
            tx.commit().await?;
            return Ok(Begun::Go(Turn { claim, resource: None }));
        }
        let row = sqlx::query(
            "SELECT hash, fingerprint, lease_until, resource, status, location, body FROM idempotency_keys
             WHERE caller = $1 AND key = $2 FOR UPDATE",
        )
        .bind(&request.caller)
        .bind(&request.key)
        .fetch_optional(&mut *tx)
        .await?;
        // It was refused and removed in between: whoever asks again soon finds it free.
        let Some(row) = row else { return Ok(Begun::InFlight) };
        let answer = match row.try_get::<Option<i32>, _>("status")? {
            Some(status) => Some(KeptAnswer {
                status: u16::try_from(status).map_err(|error| StoreError::Corrupt(error.to_string()))?,
                location: row.try_get("location")?,
                body: row.try_get("body")?,
            }),
            None => None,
        };
        let until_then = row.try_get("lease_until")?;
        let (hash, fingerprint) = (row.try_get("hash")?, row.try_get("fingerprint")?);
        let found = Found { hash, fingerprint, resource: row.try_get("resource")?, until: until_then, answer };
        match judge(request, found, now) {
            Judged::Say(begun) => {
                tx.commit().await?;
                Ok(begun)
            }
            Judged::TakeUp(resource) => {
                sqlx::query("UPDATE idempotency_keys SET token = $1, lease_until = $2 WHERE caller = $3 AND key = $4")
                    .bind(token)
                    .bind(until)
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
        sqlx::query("DELETE FROM idempotency_keys WHERE caller = $1 AND key = $2 AND token = $3 AND status IS NULL")
            .bind(&claim.caller)
            .bind(&claim.key)
            .bind(claim.token)
            .execute(&mut *self.0.acquire().await?)
            .await?;
        Ok(())
    }
}
