//! Idempotency keys in a service's database.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Begun, Claim, Found, Judged, KeptAnswer, KeyStore, Keyed, KeyedRequest, Keys, Turn, judge};
use crate::database::connection::Connection;
use crate::database::handle::Database;
use crate::database::query::query;
use crate::database::row::Row;
use crate::database::statement::Statement;
use crate::database::store::StoreError;
use crate::telemetry::clock::SharedClock;

/// Deletes the key that is asked for, if it is old, and a few others that are.
static SWEEP: Statement = Statement::new(|db| {
    format!(
        "DELETE FROM idempotency_keys WHERE (caller = $2 AND key = $3 AND created_at <= $1) OR (caller, key) IN (
             SELECT caller, key FROM idempotency_keys WHERE created_at <= $1 ORDER BY created_at LIMIT 10 {})",
        db.skip_locked()
    )
});
/// Inserts a key. It waits for another attempt that writes the same key at this moment.
const INSERT: &str = "INSERT INTO idempotency_keys (caller, key, hash, token, lease_until, created_at, fingerprint)
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
static LOCKED: Statement = Statement::new(|db| {
    format!(
        "SELECT hash, fingerprint, lease_until, resource, status, location, body FROM idempotency_keys
         WHERE caller = $1 AND key = $2 {}",
        db.for_update()
    )
});
const TAKE_OVER: &str = "UPDATE idempotency_keys SET token = $1, lease_until = $2 WHERE caller = $3 AND key = $4";
const UPDATE: &str =
    "UPDATE idempotency_keys SET resource = coalesce($1, resource), status = $2, location = $3, body = $4
     WHERE caller = $5 AND key = $6 AND token = $7 AND status IS NULL";
const RELEASE: &str = "DELETE FROM idempotency_keys WHERE caller = $1 AND key = $2 AND token = $3 AND status IS NULL";

/// Updates a key within a transaction.
///
/// # Errors
/// [`StoreError::LeaseLost`] if another attempt has taken it over.
pub(crate) async fn write(connection: &mut Connection, keyed: &Keyed) -> Result<(), StoreError> {
    let answer = keyed.answer.as_ref();
    let updated = query(UPDATE)
        .bind(&keyed.resource)
        .bind(answer.map(|answer| answer.status))
        .bind(answer.and_then(|answer| answer.location.as_deref()))
        .bind(answer.map(|answer| &answer.body))
        .bind(&keyed.claim.caller)
        .bind(&keyed.claim.key)
        .bind(keyed.claim.token)
        .execute(connection)
        .await?;
    if updated == 1 { Ok(()) } else { Err(StoreError::LeaseLost) }
}

/// Keys in a database.
#[derive(Debug)]
struct SqlKeys(Database);

impl Database {
    /// Returns the idempotency keys.
    #[must_use]
    pub fn keys(&self, clock: SharedClock) -> Keys {
        Keys::new(Arc::new(SqlKeys(self.clone())), clock)
    }
}

#[async_trait]
impl KeyStore for SqlKeys {
    async fn begin(
        &self,
        request: &KeyedRequest,
        token: Uuid,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        forgotten: DateTime<Utc>,
    ) -> Result<Begun, StoreError> {
        let (caller, key) = (&request.caller, &request.key);
        let claim = Claim { caller: caller.clone(), key: key.clone(), token };
        let mut tx = self.0.begin().await?;
        query(&SWEEP).bind(forgotten).bind(caller).bind(key).execute(&mut tx).await?;
        let inserted = query(INSERT)
            .bind(caller)
            .bind(key)
            .bind(&request.hash[..])
            .bind(token)
            .bind(until)
            .bind(now)
            .bind(&request.fingerprint)
            .execute(&mut tx)
            .await?;
        if inserted == 1 {
            tx.commit().await?;
            return Ok(Begun::Go(Turn { claim, resource: None }));
        }
        let row = query(&LOCKED).bind(caller).bind(key).fetch_optional(&mut tx).await?;
        // The key was released and deleted in between: the next attempt finds it free.
        let Some(row) = row else { return Ok(Begun::InFlight) };
        match judge(request, read(&row)?, now) {
            Judged::Say(begun) => {
                tx.commit().await?;
                Ok(begun)
            }
            Judged::TakeUp(resource) => {
                query(TAKE_OVER).bind(token).bind(until).bind(caller).bind(key).execute(&mut tx).await?;
                tx.commit().await?;
                Ok(Begun::Go(Turn { claim, resource }))
            }
        }
    }

    async fn forget(&self, claim: &Claim) -> Result<(), StoreError> {
        let release = query(RELEASE).bind(&claim.caller).bind(&claim.key).bind(claim.token);
        release.execute(&mut self.0.writer().await?).await?;
        Ok(())
    }
}

fn read(row: &Row) -> Result<Found, StoreError> {
    let answer = match row.get("status")? {
        Some(status) => Some(KeptAnswer { status, location: row.get("location")?, body: row.get("body")? }),
        None => None,
    };
    Ok(Found {
        hash: row.get("hash")?,
        fingerprint: row.get("fingerprint")?,
        resource: row.get("resource")?,
        until: row.get("lease_until")?,
        answer,
    })
}
