//! Instances of one service, and the selection of an instance for a call.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use rand::RngExt as _;
use tokio::sync::watch;
use tokio::time::Instant;
use url::Url;

use crate::task::backoff::Backoff;

/// Time for which a failed instance receives no calls, by its consecutive failures.
const EJECTION: Backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(30));

/// Known instances of a service.
pub(super) struct Instances {
    list: RwLock<Vec<Arc<Instance>>>,
    /// True once a list was received.
    listed: watch::Sender<bool>,
}

/// Instance of a service.
struct Instance {
    id: String,
    url: Url,
    in_flight: AtomicUsize,
    failures: Mutex<FailureState>,
}

#[derive(Default)]
struct FailureState {
    consecutive: u32,
    ejected_until: Option<Instant>,
}

/// Call in progress at an instance.
pub(super) struct InFlightGuard {
    instance: Arc<Instance>,
    all: Arc<Instances>,
}

impl Instances {
    pub(super) fn pending() -> Arc<Self> {
        Arc::new(Self { list: RwLock::default(), listed: watch::Sender::new(false) })
    }

    fn list(&self) -> RwLockReadGuard<'_, Vec<Arc<Instance>>> {
        self.list.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list().is_empty()
    }

    /// Waits until the first list was received.
    pub(super) async fn listed(&self) {
        // The sender lives as long as `self`.
        let _ = self.listed.subscribe().wait_for(|listed| *listed).await;
    }

    /// Replaces the list of ids and URLs; remaining instances keep their state.
    pub(super) fn replace(&self, now: impl Iterator<Item = (String, Url)>) {
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        let now = now.map(|(id, url)| {
            let known = list.iter().find(|known| known.id == id && known.url == url).cloned();
            known.unwrap_or_else(|| {
                let (in_flight, failures) = (AtomicUsize::default(), Mutex::default());
                Arc::new(Instance { id, url, in_flight, failures })
            })
        });
        *list = now.collect();
        self.listed.send_replace(true);
    }

    /// Records a failure of the instance at this address.
    pub(super) fn failed(&self, host: &str, port: u16) {
        let at = |one: &&Arc<Instance>| {
            one.url.host_str().is_some_and(|known| known.trim_matches(['[', ']']) == host)
                && one.url.port_or_known_default() == Some(port)
        };
        if let Some(instance) = self.list().iter().find(at) {
            instance.failed();
        }
    }

    /// Returns the less loaded of two random healthy instances. If all are ejected, perhaps for a common cause, they
    /// are returned in turn, so none is excluded permanently.
    pub(super) fn pick(self: &Arc<Self>) -> Option<(Url, InFlightGuard)> {
        let (list, now) = (self.list(), Instant::now());
        let fit: Vec<_> = list.iter().filter(|one| one.is_healthy(now)).collect();
        let instance = match fit.as_slice() {
            [] => list.iter().min_by_key(|one| one.ejected_until())?,
            [only] => only,
            several => {
                let mut rng = rand::rng();
                let one = rng.random_range(0..several.len());
                let other = (one + rng.random_range(1..several.len())) % several.len();
                let (one, other) = (several.get(one)?, several.get(other)?);
                if other.in_flight() < one.in_flight() { other } else { one }
            }
        };
        instance.in_flight.fetch_add(1, Ordering::SeqCst);
        Some((instance.url.clone(), InFlightGuard { instance: instance.clone(), all: self.clone() }))
    }
}

impl Instance {
    fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    fn ejected_until(&self) -> Option<Instant> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).ejected_until
    }

    fn is_healthy(&self, now: Instant) -> bool {
        self.ejected_until().is_none_or(|until| now >= until)
    }

    fn failed(&self) {
        let (mut failures, now) = (self.failures.lock().unwrap_or_else(PoisonError::into_inner), Instant::now());
        // Failures at the same time or during an ejection count once.
        if failures.ejected_until.is_none_or(|until| now >= until) {
            failures.consecutive += 1;
            tracing::warn!(
                instance = self.id,
                consecutive = failures.consecutive,
                "instance failed; ejected for a while"
            );
        }
        let pause = EJECTION.pause(failures.consecutive);
        failures.ejected_until = Some(now + pause);
    }
}

impl InFlightGuard {
    pub(super) fn failed(&self) {
        self.instance.failed();
    }

    pub(super) fn succeeded(&self) {
        *self.instance.failures.lock().unwrap_or_else(PoisonError::into_inner) = FailureState::default();
    }

    /// Returns whether another instance is known.
    pub(super) fn has_alternatives(&self) -> bool {
        self.others(|_| true)
    }

    /// Returns whether another instance is known that is not ejected.
    pub(super) fn has_healthy_alternatives(&self) -> bool {
        let now = Instant::now();
        self.others(|other| other.is_healthy(now))
    }

    fn others(&self, which: impl Fn(&Instance) -> bool) -> bool {
        self.all.list().iter().any(|other| !Arc::ptr_eq(other, &self.instance) && which(other))
    }
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.instance.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Arc<Instances> {
        let instances = Instances::pending();
        let urls =
            (1..=3).map(|port| (format!("order-service-{port}"), format!("http://127.0.0.1:{port}").parse().unwrap()));
        instances.replace(urls);
        instances
    }

    fn picked(instances: &Arc<Instances>) -> Vec<u16> {
        let mut ports: Vec<_> = (0..200).filter_map(|_| instances.pick()?.0.port()).collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    }

    #[tokio::test(start_paused = true)]
    async fn failing_instance_is_ejected_longer_each_time_until_it_responds() {
        let instances = three();
        for pause in [2, 4, 8, 16, 30, 30] {
            // Simultaneous failures count once.
            instances.failed("127.0.0.1", 2);
            instances.failed("127.0.0.1", 2);
            tokio::time::advance(Duration::from_secs(pause) - Duration::from_millis(1)).await;
            assert_eq!(picked(&instances), [1, 3], "{pause} s");
            tokio::time::advance(Duration::from_millis(1)).await;
            assert_eq!(picked(&instances), [1, 2, 3], "{pause} s");
        }
        let two = std::iter::repeat_with(|| instances.pick().unwrap()).find(|(url, _)| url.port() == Some(2)).unwrap();
        two.1.succeeded();
        two.1.failed();
        assert!(two.1.has_alternatives() && two.1.has_healthy_alternatives());
        drop(two);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(picked(&instances), [1, 2, 3], "the count began anew");
    }

    #[tokio::test(start_paused = true)]
    async fn failed_instances_are_picked_in_turn_if_all_have_failed() {
        let instances = three();
        for port in [3, 1, 2] {
            instances.failed("127.0.0.1", port);
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        let mut ports = Vec::new();
        for _ in 0..6 {
            let (url, guard) = instances.pick().unwrap();
            assert!(guard.has_alternatives() && !guard.has_healthy_alternatives());
            guard.failed();
            ports.extend(url.port());
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert_eq!(ports, [3, 1, 2, 3, 1, 2]);
    }

    #[tokio::test]
    async fn idle_instances_are_preferred() {
        let instances = three();
        let mut guard: Vec<_> = (0..300).map(|_| instances.pick().unwrap()).collect();
        for port in 1..=3 {
            let busy = guard.iter().filter(|(url, _)| url.port() == Some(port)).count();
            assert!((90..=110).contains(&busy), "{busy} of 300 calls under way are at one of three");
        }
        guard.retain(|(url, _)| url.port() != Some(1));
        let counts = (0..60).map(|_| instances.pick().unwrap()).collect::<Vec<_>>();
        let of_idle = counts.iter().filter(|(url, _)| url.port() == Some(1)).count();
        assert!(of_idle >= 25, "{of_idle} of 60 calls go to the one that is idle");
    }

    #[tokio::test]
    async fn remaining_instance_keeps_its_state() {
        let instances = three();
        instances.failed("127.0.0.1", 1);
        let url = |port| format!("http://127.0.0.1:{port}").parse().unwrap();
        instances.replace([("order-service-1".to_owned(), url(1)), ("order-service-4".to_owned(), url(4))].into_iter());
        assert_eq!(picked(&instances), [4]);
        instances.replace(std::iter::empty());
        assert!(instances.pick().is_none() && instances.is_empty());
    }
}
