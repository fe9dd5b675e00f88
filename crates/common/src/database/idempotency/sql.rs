//! Idempotency keys in a service's database.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    Acquire, Decision, IdempotencyKeys, IdempotencyLease, IdempotencyStore, IdempotencyUpdate, IdempotentRequest,
    KeyRow, LeaseRef, StoredResponse, classify,
};
use crate::database::connection::Connection;
use crate::database::handle::Database;
use crate::database::query::query;
use crate::database::row::Row;
use crate::database::statement::Statement;
use crate::database::store::StoreError;
use crate::telemetry::clock::SharedClock;

/// Deletes expired keys. It leaves out those that another transaction deletes at this moment.
static SWEEP: Statement = Statement::new(|db| {
    format!(
        "DELETE FROM idempotency_keys WHERE (caller, key) IN (
             SELECT caller, key FROM idempotency_keys WHERE created_at <= $1 ORDER BY created_at LIMIT 100 {})",
        db.row_lock("FOR UPDATE SKIP LOCKED")
    )
});
/// Deletes a key if it is expired.
const EXPIRE: &str = "DELETE FROM idempotency_keys WHERE caller = $1 AND key = $2 AND created_at <= $3";
/// Number of new keys per sweep; a sweep deletes more keys than are written meanwhile.
const SWEEP_INTERVAL: u128 = 16;
/// Inserts a key. It waits for another attempt that writes the same key at this moment.
const INSERT: &str = "INSERT INTO idempotency_keys (caller, key, hash, token, lease_until, created_at, fingerprint)
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
static LOCKED: Statement = Statement::new(|db| {
    format!(
        "SELECT hash, fingerprint, lease_until, resource, status, location, body FROM idempotency_keys
         WHERE caller = $1 AND key = $2 {}",
        db.row_lock("FOR UPDATE")
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
pub(crate) async fn write(connection: &mut Connection, update: &IdempotencyUpdate) -> Result<(), StoreError> {
    let response = update.response.as_ref();
    let updated = query(UPDATE)
        .bind(&update.resource)
        .bind(response.map(|response| response.status))
        .bind(response.and_then(|response| response.location.as_deref()))
        .bind(response.map(|response| &response.body))
        .bind(&update.lease.caller)
        .bind(&update.lease.key)
        .bind(update.lease.token)
        .execute(connection)
        .await?;
    if updated == 1 { Ok(()) } else { Err(StoreError::LeaseLost) }
}

/// Store of idempotency keys in a database.
#[derive(Debug)]
struct SqlIdempotencyStore(Database);

impl Database {
    /// Returns the idempotency keys.
    #[must_use]
    pub fn keys(&self, clock: SharedClock) -> IdempotencyKeys {
        IdempotencyKeys::new(Arc::new(SqlIdempotencyStore(self.clone())), clock)
    }
}

#[async_trait]
impl IdempotencyStore for SqlIdempotencyStore {
    async fn begin(
        &self,
        request: &IdempotentRequest,
        token: Uuid,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        expired: DateTime<Utc>,
    ) -> Result<Acquire, StoreError> {
        let (caller, key) = (&request.caller, &request.key);
        let reference = LeaseRef { caller: caller.clone(), key: key.clone(), token };
        let insert = || {
            query(INSERT)
                .bind(caller)
                .bind(key)
                .bind(&request.hash[..])
                .bind(token)
                .bind(until)
                .bind(now)
                .bind(&request.fingerprint)
        };
        let mut tx = self.0.begin().await?;
        let mut inserted = insert().execute(&mut tx).await? == 1;
        if !inserted && query(EXPIRE).bind(caller).bind(key).bind(expired).execute(&mut tx).await? == 1 {
            inserted = insert().execute(&mut tx).await? == 1;
        }
        if inserted {
            if token.as_u128().is_multiple_of(SWEEP_INTERVAL) {
                query(&SWEEP).bind(expired).execute(&mut tx).await?;
            }
            tx.commit().await?;
            return Ok(Acquire::Acquired(IdempotencyLease { reference, resource: None }));
        }
        let row = query(&LOCKED).bind(caller).bind(key).fetch_optional(&mut tx).await?;
        // The key was released and deleted in between: the next attempt finds it free.
        let Some(row) = row else { return Ok(Acquire::InProgress) };
        match classify(request, read(&row)?, now) {
            Decision::Return(outcome) => {
                tx.commit().await?;
                Ok(outcome)
            }
            Decision::TakeOver(resource) => {
                query(TAKE_OVER).bind(token).bind(until).bind(caller).bind(key).execute(&mut tx).await?;
                tx.commit().await?;
                Ok(Acquire::Acquired(IdempotencyLease { reference, resource }))
            }
        }
    }

    async fn release(&self, lease: &LeaseRef) -> Result<(), StoreError> {
        let release = query(RELEASE).bind(&lease.caller).bind(&lease.key).bind(lease.token);
        release.execute(&mut self.0.writer().await?).await?;
        Ok(())
    }
}

fn read(row: &Row) -> Result<KeyRow, StoreError> {
    let response = match row.get("status")? {
        Some(status) => Some(StoredResponse { status, location: row.get("location")?, body: row.get("body")? }),
        None => None,
    };
    Ok(KeyRow {
        hash: row.get("hash")?,
        fingerprint: row.get("fingerprint")?,
        resource: row.get("resource")?,
        until: row.get("lease_until")?,
        response,
    })
}
