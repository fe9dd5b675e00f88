//! The instances of one service, and which of them is asked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use rand::RngExt as _;
use tokio::sync::watch;
use tokio::time::Instant;
use url::Url;

/// How long an instance is left out that failed; it doubles with each failure after one such time, up to the longest.
const LEFT_OUT: Duration = Duration::from_secs(2);
const LONGEST_LEFT_OUT: Duration = Duration::from_secs(30);

/// The instances of a service, as far as they are known.
pub(super) struct Instances {
    list: RwLock<Vec<Arc<Instance>>>,
    /// Whether a list ever came.
    listed: watch::Sender<bool>,
}

/// An instance of a service.
struct Instance {
    id: String,
    url: Url,
    under_way: AtomicUsize,
    trouble: Mutex<Trouble>,
}

#[derive(Default)]
struct Trouble {
    in_a_row: u32,
    left_out_until: Option<Instant>,
}

/// A call that is under way at an instance.
pub(super) struct Held {
    instance: Arc<Instance>,
    all: Arc<Instances>,
}

impl Instances {
    pub(super) fn none_yet() -> Arc<Self> {
        Arc::new(Self { list: RwLock::default(), listed: watch::Sender::new(false) })
    }

    fn list(&self) -> RwLockReadGuard<'_, Vec<Arc<Instance>>> {
        self.list.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list().is_empty()
    }

    /// Waits until the first list has come.
    pub(super) async fn listed(&self) {
        // The sender lives as long as `self`.
        let _ = self.listed.subscribe().wait_for(|listed| *listed).await;
    }

    /// Takes over a list of ids and addresses; instances that stay keep what is known of them.
    pub(super) fn replace(&self, now: impl Iterator<Item = (String, Url)>) {
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        let now = now.map(|(id, url)| {
            let known = list.iter().find(|known| known.id == id && known.url == url).cloned();
            known.unwrap_or_else(|| {
                let (under_way, trouble) = (AtomicUsize::default(), Mutex::default());
                Arc::new(Instance { id, url, under_way, trouble })
            })
        });
        *list = now.collect();
        self.listed.send_replace(true);
    }

    /// The instance at this address failed.
    pub(super) fn failed(&self, host: &str, port: u16) {
        let at = |one: &&Arc<Instance>| {
            one.url.host_str().is_some_and(|known| known.trim_matches(['[', ']']) == host)
                && one.url.port_or_known_default() == Some(port)
        };
        if let Some(instance) = self.list().iter().find(at) {
            instance.failed();
        }
    }

    /// Of two that are well the one with fewer calls under way. All of them may have failed for a reason that is not theirs:
    /// then they are asked in turn, so that nobody is left out for ever.
    pub(super) fn pick(self: &Arc<Self>) -> Option<(Url, Held)> {
        let (list, now) = (self.list(), Instant::now());
        let fit: Vec<_> = list.iter().filter(|one| one.is_fit(now)).collect();
        let instance = match fit.as_slice() {
            [] => list.iter().min_by_key(|one| one.left_out_until())?,
            [only] => only,
            several => {
                let mut rng = rand::rng();
                let one = rng.random_range(0..several.len());
                let other = (one + rng.random_range(1..several.len())) % several.len();
                let (one, other) = (several.get(one)?, several.get(other)?);
                if other.under_way() < one.under_way() { other } else { one }
            }
        };
        instance.under_way.fetch_add(1, Ordering::SeqCst);
        Some((instance.url.clone(), Held { instance: instance.clone(), all: self.clone() }))
    }
}

impl Instance {
    fn under_way(&self) -> usize {
        self.under_way.load(Ordering::SeqCst)
    }

    fn left_out_until(&self) -> Option<Instant> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).left_out_until
    }

    fn is_fit(&self, now: Instant) -> bool {
        self.left_out_until().is_none_or(|until| now >= until)
    }

    fn failed(&self) {
        let (mut trouble, now) = (self.trouble.lock().unwrap_or_else(PoisonError::into_inner), Instant::now());
        // Calls that fail together, or while it is left out, are one failure.
        if trouble.left_out_until.is_none_or(|until| now >= until) {
            trouble.in_a_row += 1;
            tracing::warn!(
                instance = self.id,
                in_a_row = trouble.in_a_row,
                "an instance failed, it is left out for a while"
            );
        }
        let pause = LEFT_OUT.saturating_mul(1 << trouble.in_a_row.saturating_sub(1).min(10)).min(LONGEST_LEFT_OUT);
        trouble.left_out_until = Some(now + pause);
    }
}

impl Held {
    pub(super) fn failed(&self) {
        self.instance.failed();
    }

    pub(super) fn answered(&self) {
        *self.instance.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Trouble::default();
    }

    /// Whether another instance is known.
    pub(super) fn has_others(&self) -> bool {
        self.others(|_| true)
    }

    /// Whether another instance is known that is not left out.
    pub(super) fn has_fit_others(&self) -> bool {
        let now = Instant::now();
        self.others(|other| other.is_fit(now))
    }

    fn others(&self, which: impl Fn(&Instance) -> bool) -> bool {
        self.all.list().iter().any(|other| !Arc::ptr_eq(other, &self.instance) && which(other))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.instance.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Arc<Instances> {
        let instances = Instances::none_yet();
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
    async fn one_that_fails_is_left_out_longer_and_longer_until_it_answers() {
        let instances = three();
        for pause in [2, 4, 8, 16, 30, 30] {
            // What fails at once is one failure.
            instances.failed("127.0.0.1", 2);
            instances.failed("127.0.0.1", 2);
            tokio::time::advance(Duration::from_secs(pause) - Duration::from_millis(1)).await;
            assert_eq!(picked(&instances), [1, 3], "{pause} s");
            tokio::time::advance(Duration::from_millis(1)).await;
            assert_eq!(picked(&instances), [1, 2, 3], "{pause} s");
        }
        let two = std::iter::repeat_with(|| instances.pick().unwrap()).find(|(url, _)| url.port() == Some(2)).unwrap();
        two.1.answered();
        two.1.failed();
        assert!(two.1.has_others() && two.1.has_fit_others());
        drop(two);
        tokio::time::advance(LEFT_OUT).await;
        assert_eq!(picked(&instances), [1, 2, 3], "the count began anew");
    }

    #[tokio::test(start_paused = true)]
    async fn where_all_have_failed_they_are_asked_in_turn() {
        let instances = three();
        for port in [3, 1, 2] {
            instances.failed("127.0.0.1", port);
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        let mut ports = Vec::new();
        for _ in 0..6 {
            let (url, held) = instances.pick().unwrap();
            assert!(held.has_others() && !held.has_fit_others());
            held.failed();
            ports.extend(url.port());
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert_eq!(ports, [3, 1, 2, 3, 1, 2]);
    }

    #[tokio::test]
    async fn those_that_are_idle_are_asked_first() {
        let instances = three();
        let mut held: Vec<_> = (0..300).map(|_| instances.pick().unwrap()).collect();
        for port in 1..=3 {
            let busy = held.iter().filter(|(url, _)| url.port() == Some(port)).count();
            assert!((90..=110).contains(&busy), "{busy} of 300 calls under way are at one of three");
        }
        held.retain(|(url, _)| url.port() != Some(1));
        let counts = (0..60).map(|_| instances.pick().unwrap()).collect::<Vec<_>>();
        let of_idle = counts.iter().filter(|(url, _)| url.port() == Some(1)).count();
        assert!(of_idle >= 25, "{of_idle} of 60 calls go to the one that is idle");
    }

    #[tokio::test]
    async fn an_instance_that_stays_on_the_list_keeps_what_is_known_of_it() {
        let instances = three();
        instances.failed("127.0.0.1", 1);
        let url = |port| format!("http://127.0.0.1:{port}").parse().unwrap();
        instances.replace([("order-service-1".to_owned(), url(1)), ("order-service-4".to_owned(), url(4))].into_iter());
        assert_eq!(picked(&instances), [4]);
        instances.replace(std::iter::empty());
        assert!(instances.pick().is_none() && instances.is_empty());
    }
}
