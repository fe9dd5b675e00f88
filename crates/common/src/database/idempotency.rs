//! Idempotency keys: a request that is sent again has its effect once and gets the first response again.
//!
//! A key is written before the work begins, with a hash of the request and a lease; the response is written in the same
//! transaction as the effect. A process that dies in between leaves a lease that expires, and the next attempt takes the
//! key over. Rejected work leaves no key.
//!
//! After the draft of the IETF, <https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::database::store::{StoreError, StoreMetrics};
use crate::fault::failpoint;
use crate::telemetry::clock::SharedClock;

pub(crate) mod sql;

/// Time for which a key is stored.
pub const RETENTION: TimeDelta = TimeDelta::hours(24);
/// Time after which another attempt may take the work over.
pub const LEASE: Duration = Duration::from_secs(10);

/// Request with an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotentRequest {
    /// Owner of the key. Equal keys of different callers are different keys.
    pub caller: String,
    /// Key.
    pub key: String,
    /// SHA-256 of method, path and the JSON that was sent. Versions before fingerprints compare it.
    pub hash: [u8; 32],
    /// Fingerprint of the parsed request, which names its scheme: [`FINGERPRINT_SCHEME`].
    pub fingerprint: String,
}

/// Prefix of a fingerprint: SHA-256, in hexadecimal, of method, path and the canonical JSON of the parsed body. Another
/// scheme gets another number.
pub const FINGERPRINT_SCHEME: &str = "2:";

/// Reference to a leased key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseRef {
    /// Owner of the key.
    pub caller: String,
    /// Key.
    pub key: String,
    /// Fencing token. It changes with each attempt, so that an attempt whose lease expired writes nothing.
    pub token: Uuid,
}

/// Stored response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredResponse {
    /// HTTP status.
    pub status: u16,
    /// Header `Location`.
    pub location: Option<String>,
    /// JSON body.
    pub body: String,
}

/// Update of a key, committed with a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyUpdate {
    /// Lease of the attempt.
    pub lease: LeaseRef,
    /// Resource that the key stands for, such as a payment's id. A later attempt continues with it.
    pub resource: Option<String>,
    /// Response, if the change completes the work.
    pub response: Option<StoredResponse>,
}

/// Lease of an attempt that may proceed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyLease {
    /// Reference to the key.
    pub reference: LeaseRef,
    /// Resource that an earlier attempt linked without completing its work.
    pub resource: Option<String>,
}

impl IdempotencyLease {
    /// Returns the update that links a resource. The work is not complete yet.
    #[must_use]
    pub fn link_resource(&self, resource: &impl ToString) -> IdempotencyUpdate {
        IdempotencyUpdate { lease: self.reference.clone(), resource: Some(resource.to_string()), response: None }
    }

    /// Returns the update that completes the work.
    #[must_use]
    pub fn complete(&self, response: StoredResponse) -> IdempotencyUpdate {
        IdempotencyUpdate { lease: self.reference.clone(), resource: None, response: Some(response) }
    }
}

/// Outcome of an attempt to acquire a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acquire {
    /// Acquisition: the attempt may proceed.
    Acquired(IdempotencyLease),
    /// The work was completed with this response.
    Completed(StoredResponse),
    /// Acquisition: another attempt holds the lease.
    InProgress,
    /// The key was used for another request.
    KeyReused,
}

crate::repository_trait! {
    /// Store of idempotency keys, beside the data that the work changes.
    pub trait IdempotencyStore, instrumented as "keys" by InstrumentedIdempotencyStore {
        /// Acquires the key if it is new, was created before `expired`, or its lease has expired. The lease lasts until
        /// `until`.
        async fn begin(
            &self,
            request: &IdempotentRequest,
            token: Uuid,
            now: DateTime<Utc>,
            until: DateTime<Utc>,
            expired: DateTime<Utc>,
        ) -> Result<Acquire, StoreError>;
        /// Deletes a key whose work was rejected, unless it was completed or another attempt has taken it over.
        async fn release(&self, lease: &LeaseRef) -> Result<(), StoreError>;
    }
}

/// Idempotency keys of a service. Clones share them.
#[derive(Clone)]
pub struct IdempotencyKeys {
    store: Arc<dyn IdempotencyStore>,
    clock: SharedClock,
}

impl IdempotencyKeys {
    /// Creates the keys of a store.
    #[must_use]
    pub fn new(store: Arc<dyn IdempotencyStore>, clock: SharedClock) -> Self {
        Self { store, clock }
    }

    /// Returns the same keys with an instrumented store.
    #[must_use]
    pub fn measured(self, metrics: &StoreMetrics) -> Self {
        Self { store: Arc::new(InstrumentedIdempotencyStore::new(self.store, metrics.clone())), ..self }
    }

    /// Acquires the key of a request.
    ///
    /// # Errors
    /// If the store is unavailable.
    pub async fn begin(&self, request: &IdempotentRequest) -> Result<Acquire, StoreError> {
        let now = self.clock.now();
        let until = now + TimeDelta::from_std(LEASE).unwrap_or_default();
        let acquire = self.store.begin(request, Uuid::now_v7(), now, until, now - RETENTION).await?;
        if let Acquire::Acquired(lease) = &acquire {
            let about = || if lease.resource.is_some() { "resumed" } else { "acquired" }.to_owned();
            failpoint::hit("after-key", about);
        }
        Ok(acquire)
    }

    /// Releases a key whose work was rejected.
    ///
    /// # Errors
    /// If the store is unavailable. The key is free once its lease has expired.
    pub async fn release(&self, lease: &LeaseRef) -> Result<(), StoreError> {
        self.store.release(lease).await
    }
}

/// Decides on a request by the key's row.
fn classify(request: &IdempotentRequest, row: KeyRow, now: DateTime<Utc>) -> Decision {
    let same = match row.fingerprint {
        Some(fingerprint) if fingerprint.starts_with(FINGERPRINT_SCHEME) => fingerprint == request.fingerprint,
        // Another version wrote the row. All versions write the hash.
        _ => row.hash == request.hash,
    };
    if !same {
        return Decision::Return(Acquire::KeyReused);
    }
    match row.response {
        Some(response) => Decision::Return(Acquire::Completed(response)),
        None if row.until > now => Decision::Return(Acquire::InProgress),
        None => Decision::TakeOver(row.resource),
    }
}

/// Row of a key.
struct KeyRow {
    hash: Vec<u8>,
    /// Absent in rows of versions before fingerprints.
    fingerprint: Option<String>,
    resource: Option<String>,
    until: DateTime<Utc>,
    response: Option<StoredResponse>,
}

enum Decision {
    Return(Acquire),
    /// The lease has expired; an earlier attempt may have linked a resource.
    TakeOver(Option<String>),
}
