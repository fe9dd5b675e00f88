//! Password hashing: argon2id outside the runtime's threads, with a bounded queue.

use std::sync::Arc;

use common::BoxError;
use common::fault::{Fault, Faults};
use common::telemetry::metrics::Metrics;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::Instrument as _;

use crate::NAME;
use crate::error::Error;
use crate::metrics::PasswordMetrics;

mod hasher;
mod opaque;

use hasher::Hasher;
pub(crate) use opaque::opaque_string;

/// Maximum number of concurrent hashes: each takes a processor and a block of 19 MiB.
const MAX_CONCURRENT_HASHES: usize = 2;
/// Maximum number of waiting callers; more are rejected.
const MAX_WAITING: usize = 64;

/// Hashes and verifies passwords. Clones share the queue.
#[derive(Clone)]
pub(crate) struct Passwords {
    hasher: Hasher,
    /// Hash that is verified for an unknown account, so that the response takes the same time.
    dummy: Arc<str>,
    queue: Arc<Semaphore>,
    running: Arc<Semaphore>,
    metrics: PasswordMetrics,
    faults: Faults,
}

/// Place in the queue of password hashes.
pub(super) struct QueuePermit(#[expect(dead_code, reason = "held until the hash is done")] OwnedSemaphorePermit);

/// Result of a password verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PasswordCheck {
    /// Password check: valid password.
    Valid,
    /// Valid password whose hash has the form of the older service or was computed without normalisation.
    ValidNeedsRehash,
    /// Password check: wrong password or unknown account.
    Invalid,
}

impl Passwords {
    pub(crate) fn new(metrics: &Metrics, faults: Faults) -> Result<Self, BoxError> {
        let hasher = Hasher::new()?;
        let dummy = hasher.dummy()?;
        Ok(Self {
            hasher,
            dummy: dummy.into(),
            queue: Arc::new(Semaphore::new(MAX_CONCURRENT_HASHES + MAX_WAITING)),
            running: Arc::new(Semaphore::new(MAX_CONCURRENT_HASHES)),
            metrics: PasswordMetrics::new(metrics),
            faults,
        })
    }

    /// Acquires a place in the queue.
    ///
    /// # Errors
    /// [`Error::Overloaded`] if the queue is full.
    pub(super) fn try_acquire(&self) -> Result<QueuePermit, Error> {
        self.queue.clone().try_acquire_owned().map(QueuePermit).map_err(|_| {
            self.metrics.count_rejected();
            Error::Overloaded
        })
    }

    /// Returns the hash of a password, in PHC format.
    pub(super) async fn hash(&self, password: SecretString) -> Result<String, Error> {
        let permit = self.try_acquire()?;
        let hasher = self.hasher.clone();
        let work = move || hasher.hash(opaque_string(password.expose_secret()).as_bytes());
        self.run(permit, work).await?.map_err(Error::Internal)
    }

    /// Verifies a password against a hash. Without a hash the verification takes the same time and fails.
    pub(super) async fn verify(
        &self,
        permit: QueuePermit,
        password: SecretString,
        hash: Option<String>,
    ) -> Result<PasswordCheck, Error> {
        let (hasher, dummy) = (self.hasher.clone(), self.dummy.clone());
        self.run(permit, move || {
            let account_exists = hash.is_some();
            let hash = hash.unwrap_or_else(|| dummy.to_string());
            let is_bcrypt = hash.starts_with("$2");
            let matches = |password: &str| match is_bcrypt {
                true => bcrypt::verify(password, &hash).unwrap_or(false),
                false => hasher.verify(password.as_bytes(), &hash),
            };
            let sent = password.expose_secret();
            let normalized = opaque_string(sent);
            let is_valid = matches(&normalized);
            // The previous version hashed passwords as sent.
            let is_valid_as_sent = !is_valid && normalized != sent && matches(sent);
            match (is_valid || is_valid_as_sent) && account_exists {
                false => PasswordCheck::Invalid,
                true if is_bcrypt || is_valid_as_sent => PasswordCheck::ValidNeedsRehash,
                true => PasswordCheck::Valid,
            }
        })
        .await
    }

    /// Frees the memory of hashes that are not being computed.
    pub(super) fn release_memory(&self) {
        self.hasher.release_memory();
    }

    async fn run<T: Send + 'static>(
        &self,
        permit: QueuePermit,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let timer = self.metrics.start_wait();
        let span = tracing::info_span!("password queue", service.name = NAME);
        let slot = self.running.clone().acquire_owned().instrument(span).await;
        let slot = slot.map_err(|error| Error::Internal(error.into()))?;
        drop(timer);
        let metrics = self.metrics.clone();
        let span = tracing::info_span!("password hash", service.name = NAME);
        self.faults.delay(Fault::SlowPasswords).instrument(span.clone()).await;
        let task = tokio::task::spawn_blocking(move || {
            let result = span.in_scope(|| metrics.observe_hash(work));
            drop((slot, permit));
            result
        });
        task.await.map_err(|error| Error::Internal(error.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn password_is_verified_against_its_hash() {
        let passwords = Passwords::new(&Metrics::new(), Faults::off()).unwrap();
        let hash = passwords.hash("correct horse".to_owned().into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let verify = |password: &str, hash: Option<String>| {
            passwords.verify(passwords.try_acquire().unwrap(), password.to_owned().into(), hash)
        };
        assert_eq!(verify("correct horse", Some(hash.clone())).await.unwrap(), PasswordCheck::Valid);
        assert_eq!(verify("wrong horse", Some(hash)).await.unwrap(), PasswordCheck::Invalid);
        assert_eq!(verify("no such account", None).await.unwrap(), PasswordCheck::Invalid);
        assert_eq!(verify("x", Some("garbage".to_owned())).await.unwrap(), PasswordCheck::Invalid);
    }

    #[tokio::test]
    async fn unicode_forms_of_one_password_are_equal() {
        let passwords = Passwords::new(&Metrics::new(), Faults::off()).unwrap();
        let verify = async |password: &str, hash: &str| {
            let password = password.to_owned().into();
            passwords.verify(passwords.try_acquire().unwrap(), password, Some(hash.to_owned())).await.unwrap()
        };
        let (composed, decomposed) = ("caf\u{e9} creme", "cafe\u{301}\u{a0}creme");
        let hash = passwords.hash(decomposed.to_owned().into()).await.unwrap();
        assert_eq!(verify(composed, &hash).await, PasswordCheck::Valid);
        assert_eq!(verify(decomposed, &hash).await, PasswordCheck::Valid);
        // As hashed by the previous version.
        let old = passwords.hasher.hash(decomposed.as_bytes()).unwrap();
        assert_eq!(verify(decomposed, &old).await, PasswordCheck::ValidNeedsRehash);
        assert_eq!(verify(composed, &old).await, PasswordCheck::Invalid);
        let older = bcrypt::hash(decomposed, 4).unwrap();
        assert_eq!(verify(decomposed, &older).await, PasswordCheck::ValidNeedsRehash);
    }

    #[tokio::test]
    async fn request_is_rejected_when_the_queue_is_full() {
        let metrics = Metrics::new();
        let passwords = Passwords::new(&metrics, Faults::off()).unwrap();
        let permits: Vec<_> =
            (0..MAX_CONCURRENT_HASHES + MAX_WAITING).map(|_| passwords.try_acquire().unwrap()).collect();
        let rejected = passwords.hash("correct horse".to_owned().into()).await;
        assert!(matches!(rejected, Err(Error::Overloaded)), "{rejected:?}");
        let shed = "http_server_requests_shed_total{reason=\"passwords\"} 1";
        assert!(metrics.render().contains(shed), "{}", metrics.render());
        drop(permits);
        passwords.hash("correct horse".to_owned().into()).await.unwrap();
    }

    #[tokio::test]
    async fn hash_of_the_older_service_is_recognised() {
        let passwords = Passwords::new(&Metrics::new(), Faults::off()).unwrap();
        let old = bcrypt::hash("password123", 4).unwrap();
        let verify = |password: &str| {
            passwords.verify(passwords.try_acquire().unwrap(), password.to_owned().into(), Some(old.clone()))
        };
        assert_eq!(verify("password123").await.unwrap(), PasswordCheck::ValidNeedsRehash);
        assert_eq!(verify("password124").await.unwrap(), PasswordCheck::Invalid);
    }
}
