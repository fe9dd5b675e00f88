//! Idempotency keys: a request that is sent again has its effect once, and gets the first answer again.
//!
//! A key is written before the work begins, with a hash of the request and a lease; the answer is written in the same
//! transaction as the effect. A process that dies in between leaves a lease that runs out, and the next try takes the
//! key up. A work that is refused leaves no key.
//!
//! After the draft of the IETF, <https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::database::store::{Operations, StoreError};
use crate::fault::failpoint as crash;
use crate::telemetry::clock::SharedClock;

pub(crate) mod postgres;
pub(crate) mod sql;
pub(crate) mod sqlite;

/// How long a key is remembered.
pub const KEPT: TimeDelta = TimeDelta::hours(24);
/// How long work may take until somebody else may take it up.
pub const LEASE: Duration = Duration::from_secs(10);

/// A request with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedRequest {
    /// Whose key it is: keys of different callers do not meet.
    pub caller: String,
    /// The key.
    pub key: String,
    /// SHA-256 of method, path and the JSON that was sent: what versions before fingerprints compare.
    pub hash: [u8; 32],
    /// Fingerprint of the parsed request, which names its scheme: [`FINGERPRINT_SCHEME`].
    pub fingerprint: String,
}

/// Beginning of a fingerprint: SHA-256, in hexadecimal, of method, path and the canonical JSON of the parsed body. Another
/// way to compute it gets another number.
pub const FINGERPRINT_SCHEME: &str = "2:";

/// The right to do the work of a key, until its lease runs out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Whose key it is.
    pub caller: String,
    /// The key.
    pub key: String,
    /// Changes with each try, so that one that was given up writes nothing any more.
    pub token: Uuid,
}

/// An answer that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    /// The HTTP status.
    pub status: u16,
    /// `Location`, if there was one.
    pub location: Option<String>,
    /// The JSON body.
    pub body: String,
}

/// What becomes of a key together with a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyed {
    /// By whom.
    pub claim: Claim,
    /// What the key stands for from now on, such as a payment's id, so that a later try goes on with that.
    pub resource: Option<String>,
    /// The answer, if this change ends the work.
    pub answer: Option<KeptAnswer>,
}

/// A try that may go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Its right to.
    pub claim: Claim,
    /// What an earlier try made, which did not end.
    pub resource: Option<String>,
}

impl Turn {
    /// The work makes this, and is not done with it yet.
    #[must_use]
    pub fn makes(&self, resource: &impl ToString) -> Keyed {
        Keyed { claim: self.claim.clone(), resource: Some(resource.to_string()), answer: None }
    }

    /// The work is done.
    #[must_use]
    pub fn answers(&self, answer: KeptAnswer) -> Keyed {
        Keyed { claim: self.claim.clone(), resource: None, answer: Some(answer) }
    }
}

/// What a key says about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Do it.
    Go(Turn),
    /// It was done, with this answer.
    Done(KeptAnswer),
    /// Somebody is doing it.
    InFlight,
    /// The key was used for another request.
    Mismatch,
}

crate::store_port! {
    /// Keeps keys, beside the data that the work changes.
    pub trait KeyStore, observed as "keys" by ObservedKeys {
        /// Takes the key if it is new, older than `forgotten` or its lease has run out; the lease then lasts until
        /// `until`.
        async fn begin(
            &self,
            request: &KeyedRequest,
            token: Uuid,
            now: DateTime<Utc>,
            until: DateTime<Utc>,
            forgotten: DateTime<Utc>,
        ) -> Result<Begun, StoreError>;
        /// Removes a key whose work was refused, unless it was answered or somebody else has taken it up.
        async fn forget(&self, claim: &Claim) -> Result<(), StoreError>;
    }
}

/// A service's idempotency keys. Clones share them.
#[derive(Clone)]
pub struct Keys {
    store: Arc<dyn KeyStore>,
    clock: SharedClock,
}

impl Keys {
    /// The keys in this store.
    #[must_use]
    pub fn new(store: Arc<dyn KeyStore>, clock: SharedClock) -> Self {
        Self { store, clock }
    }

    /// The same keys, whose store is measured.
    #[must_use]
    pub fn measured(self, operations: &Operations) -> Self {
        Self { store: ObservedKeys::over(self.store, operations.clone()), ..self }
    }

    /// What the key says about a request.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn begin(&self, request: &KeyedRequest) -> Result<Begun, StoreError> {
        let now = self.clock.now();
        let until = now + TimeDelta::from_std(LEASE).unwrap_or_default();
        let begun = self.store.begin(request, Uuid::now_v7(), now, until, now - KEPT).await?;
        if let Begun::Go(turn) = &begun {
            let about = || if turn.resource.is_some() { "taken up" } else { "taken" }.to_owned();
            crash::hit("after-key", about);
        }
        Ok(begun)
    }

    /// Gives up a key whose work was refused.
    ///
    /// # Errors
    /// If the store does not answer: then the key is free once its lease has run out.
    pub async fn forget(&self, claim: &Claim) -> Result<(), StoreError> {
        self.store.forget(claim).await
    }
}

/// What a row says, by itself: `found` is the hash, what it stands for, the end of the lease, and the answer.
fn judge(request: &KeyedRequest, found: Found, now: DateTime<Utc>) -> Judged {
    let same = match found.fingerprint {
        Some(fingerprint) if fingerprint.starts_with(FINGERPRINT_SCHEME) => fingerprint == request.fingerprint,
        // Another version wrote it. All versions write the hash.
        _ => found.hash == request.hash,
    };
    if !same {
        return Judged::Say(Begun::Mismatch);
    }
    match found.answer {
        Some(answer) => Judged::Say(Begun::Done(answer)),
        None if found.until > now => Judged::Say(Begun::InFlight),
        None => Judged::TakeUp(found.resource),
    }
}

/// A key as it stands in a store.
struct Found {
    hash: Vec<u8>,
    /// Absent in rows of versions before fingerprints.
    fingerprint: Option<String>,
    resource: Option<String>,
    until: DateTime<Utc>,
    answer: Option<KeptAnswer>,
}

enum Judged {
    Say(Begun),
    TakeUp(Option<String>),
}
