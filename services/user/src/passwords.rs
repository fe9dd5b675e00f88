//! Hashing passwords: argon2id off the runtime's threads, a few at a time.

use std::sync::Arc;
use std::time::Duration;

use common::BoxError;
use common::faults::{Fault, Faults};
use common::http::shed;
use common::metrics::Metrics;
use prometheus::{Histogram, HistogramTimer, IntCounter, IntGauge};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::Instrument as _;

use crate::NAME;
use crate::error::Error;

mod hasher;
mod opaque;

use hasher::Hasher;
pub(crate) use opaque::opaque_string;

/// Hashes that are computed at a time: each takes a processor and a block of 19 MiB.
const AT_A_TIME: usize = 2;
/// Callers that may wait for one; more are turned away.
const WAITING: usize = 64;
/// When one that was turned away may come back.
pub(crate) const COME_BACK: Duration = Duration::from_secs(2);

/// Hashes and verifies passwords. Clones share the queue.
#[derive(Clone)]
pub(crate) struct Passwords {
    hasher: Hasher,
    /// What the password of an account that there is not is held against, so that it takes the same time.
    dummy: Arc<str>,
    places: Arc<Semaphore>,
    running: Arc<Semaphore>,
    seen: Seen,
    faults: Faults,
}

/// What is counted of the queue.
#[derive(Clone)]
struct Seen {
    waiting: IntGauge,
    waited: Histogram,
    hashed: Histogram,
    shed: IntCounter,
}

/// A place in the queue of those that hash.
pub(crate) struct Place(#[expect(dead_code, reason = "held until the hash is done")] OwnedSemaphorePermit);

/// One that waits for its turn: counted for as long as it does, also if its caller goes away.
struct Waiting {
    waiting: IntGauge,
    #[expect(dead_code, reason = "it measures until it is dropped")]
    timer: HistogramTimer,
}

impl Seen {
    fn new(metrics: &Metrics) -> Self {
        let waiting = "Requests that wait until their password is hashed.";
        let waited = "Time that they wait until it begins.";
        let hashed = "Time that hashing a password takes.";
        Self {
            waiting: metrics.gauge_vec("password_hash_queue_length", waiting, &[]).with_label_values::<&str>(&[]),
            waited: metrics.histogram_vec("password_hash_wait_seconds", waited, &[]).with_label_values::<&str>(&[]),
            hashed: metrics.histogram_vec("password_hash_duration_seconds", hashed, &[]).with_label_values::<&str>(&[]),
            shed: shed::counter(metrics).with_label_values(&["passwords"]),
        }
    }

    fn waits(&self) -> Waiting {
        self.waiting.inc();
        Waiting { waiting: self.waiting.clone(), timer: self.waited.start_timer() }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.waiting.dec();
    }
}

/// Whether a password is the right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Right,
    /// Right, but hashed as the older service did, or in a form that is not normalised: it is to be hashed again.
    RightButOld,
    Wrong,
}

impl Passwords {
    pub(crate) fn new(metrics: &Metrics, faults: Faults) -> Result<Self, BoxError> {
        let hasher = Hasher::new()?;
        let dummy = hasher.dummy()?;
        let (places, running) = (Semaphore::new(AT_A_TIME + WAITING), Semaphore::new(AT_A_TIME));
        let (places, running, seen) = (Arc::new(places), Arc::new(running), Seen::new(metrics));
        Ok(Self { hasher, dummy: dummy.into(), places, running, seen, faults })
    }

    /// A place in the queue.
    ///
    /// # Errors
    /// [`Error::TooBusy`] if it is full.
    pub(crate) fn place(&self) -> Result<Place, Error> {
        self.places.clone().try_acquire_owned().map(Place).map_err(|_| {
            self.seen.shed.inc();
            Error::TooBusy
        })
    }

    /// The hash of a password, in the PHC form.
    pub(crate) async fn hash(&self, password: SecretString) -> Result<String, Error> {
        let place = self.place()?;
        let hasher = self.hasher.clone();
        let work = move || hasher.hash(opaque_string(password.expose_secret()).as_bytes());
        self.run(place, work).await?.map_err(Error::Fault)
    }

    /// Holds a password against a hash; without one, it takes the same time and is wrong.
    pub(crate) async fn verify(
        &self,
        place: Place,
        password: SecretString,
        hash: Option<String>,
    ) -> Result<Verdict, Error> {
        let (hasher, dummy) = (self.hasher.clone(), self.dummy.clone());
        self.run(place, move || {
            let known = hash.is_some();
            let hash = hash.unwrap_or_else(|| dummy.to_string());
            let bcrypt = hash.starts_with("$2");
            let check = |password: &str| match bcrypt {
                true => bcrypt::verify(password, &hash).unwrap_or(false),
                false => hasher.verify(password.as_bytes(), &hash),
            };
            let sent = password.expose_secret();
            let normalized = opaque_string(sent);
            let right = check(&normalized);
            // Hashed by the version before, as it was sent.
            let old_form = !right && normalized != sent && check(sent);
            match (right || old_form) && known {
                false => Verdict::Wrong,
                true if bcrypt || old_form => Verdict::RightButOld,
                true => Verdict::Right,
            }
        })
        .await
    }

    /// Frees the memory of hashes while none is computed.
    pub(crate) fn release_memory(&self) {
        self.hasher.release_memory();
    }

    async fn run<T: Send + 'static>(
        &self,
        place: Place,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let waiting = self.seen.waits();
        let queue = tracing::info_span!("password queue", service.name = NAME);
        let turn = self.running.clone().acquire_owned().instrument(queue).await;
        let turn = turn.map_err(|error| Error::Fault(error.into()))?;
        drop(waiting);
        let hashed = self.seen.hashed.clone();
        let span = tracing::info_span!("password hash", service.name = NAME);
        self.faults.hold_up(Fault::SlowPasswords).instrument(span.clone()).await;
        let done = tokio::task::spawn_blocking(move || {
            let done = span.in_scope(|| hashed.observe_closure_duration(work));
            drop((turn, place));
            done
        });
        done.await.map_err(|error| Error::Fault(error.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_held_against_its_hash() {
        let passwords = Passwords::new(&Metrics::new(), Faults::off()).unwrap();
        let hash = passwords.hash("correct horse".to_owned().into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let verify = |password: &str, hash: Option<String>| {
            passwords.verify(passwords.place().unwrap(), password.to_owned().into(), hash)
        };
        assert_eq!(verify("correct horse", Some(hash.clone())).await.unwrap(), Verdict::Right);
        assert_eq!(verify("wrong horse", Some(hash)).await.unwrap(), Verdict::Wrong);
        assert_eq!(verify("no such account", None).await.unwrap(), Verdict::Wrong);
        assert_eq!(verify("x", Some("garbage".to_owned())).await.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn forms_of_one_password_are_the_same() {
        let passwords = Passwords::new(&Metrics::new(), Faults::off()).unwrap();
        let verify = async |password: &str, hash: &str| {
            let password = password.to_owned().into();
            passwords.verify(passwords.place().unwrap(), password, Some(hash.to_owned())).await.unwrap()
        };
        let (composed, decomposed) = ("caf\u{e9} creme", "cafe\u{301}\u{a0}creme");
        let hash = passwords.hash(decomposed.to_owned().into()).await.unwrap();
        assert_eq!(verify(composed, &hash).await, Verdict::Right);
        assert_eq!(verify(decomposed, &hash).await, Verdict::Right);
        // As the version before hashed it.
        let old = passwords.hasher.hash(decomposed.as_bytes()).unwrap();
        assert_eq!(verify(decomposed, &old).await, Verdict::RightButOld);
        assert_eq!(verify(composed, &old).await, Verdict::Wrong);
        let older = bcrypt::hash(decomposed, 4).unwrap();
        assert_eq!(verify(decomposed, &older).await, Verdict::RightButOld);
    }

    #[tokio::test]
    async fn one_that_finds_the_queue_full_is_turned_away() {
        let metrics = Metrics::new();
        let passwords = Passwords::new(&metrics, Faults::off()).unwrap();
        let places: Vec<_> = (0..AT_A_TIME + WAITING).map(|_| passwords.place().unwrap()).collect();
        let refused = passwords.hash("correct horse".to_owned().into()).await;
        assert!(matches!(refused, Err(Error::TooBusy)), "{refused:?}");
        let shed = "http_server_requests_shed_total{reason=\"passwords\"} 1";
        assert!(metrics.render().contains(shed), "{}", metrics.render());
        drop(places);
        passwords.hash("correct horse".to_owned().into()).await.unwrap();
    }

    #[tokio::test]
    async fn a_hash_of_the_older_service_is_known_as_one() {
        let passwords = Passwords::new(&Metrics::new(), Faults::off()).unwrap();
        let old = bcrypt::hash("password123", 4).unwrap();
        let verify = |password: &str| {
            passwords.verify(passwords.place().unwrap(), password.to_owned().into(), Some(old.clone()))
        };
        assert_eq!(verify("password123").await.unwrap(), Verdict::RightButOld);
        assert_eq!(verify("password124").await.unwrap(), Verdict::Wrong);
    }
}
