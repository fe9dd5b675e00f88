//! Readers that wait for entries of timelines.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use contracts::OrderId;
use tokio::sync::Notify;

/// Timelines that readers of this instance wait for. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct TimelineWatch(Arc<Mutex<HashMap<OrderId, WatchedTimeline>>>);

#[derive(Debug, Default)]
struct WatchedTimeline {
    changed: Arc<Notify>,
    readers: usize,
    /// Last number that was found when the database was polled; `None` before the first poll.
    last_seq: Option<i64>,
}

impl TimelineWatch {
    /// Begins to watch the timeline of an order.
    pub(crate) fn subscribe(&self, order: OrderId) -> TimelineSubscription {
        let mut timelines = self.timelines();
        let watched = timelines.entry(order).or_default();
        watched.readers += 1;
        TimelineSubscription { watch: self.clone(), order, changed: watched.changed.clone() }
    }

    /// Wakes the readers of the timeline of an order.
    pub(crate) fn notify(&self, order: OrderId) {
        if let Some(watched) = self.timelines().get(&order) {
            watched.changed.notify_waiters();
        }
    }

    /// Returns the orders whose timelines are watched.
    pub(crate) fn orders(&self) -> Vec<OrderId> {
        self.timelines().keys().copied().collect()
    }

    /// Wakes the readers of timelines whose last number differs from the one found before.
    pub(crate) fn observe(&self, heads: &[(OrderId, Option<i64>)]) {
        let mut timelines = self.timelines();
        for (order, last_seq) in heads {
            let Some(watched) = timelines.get_mut(order) else { continue };
            if last_seq.is_none() || watched.last_seq != *last_seq {
                watched.last_seq = last_seq.or(watched.last_seq);
                watched.changed.notify_waiters();
            }
        }
    }

    fn timelines(&self) -> MutexGuard<'_, HashMap<OrderId, WatchedTimeline>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reader of a timeline that waits. The timeline is no longer watched once its last reader is dropped.
#[derive(Debug)]
pub(crate) struct TimelineSubscription {
    watch: TimelineWatch,
    order: OrderId,
    /// Notification of the readers of the timeline.
    pub(crate) changed: Arc<Notify>,
}

impl Drop for TimelineSubscription {
    fn drop(&mut self) {
        let mut timelines = self.watch.timelines();
        if let Some(watched) = timelines.get_mut(&self.order) {
            watched.readers -= 1;
            if watched.readers == 0 {
                timelines.remove(&self.order);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn readers_are_woken_by_changes_of_their_timeline_only() {
        let (watch, now) = (TimelineWatch::default(), DateTime::UNIX_EPOCH);
        let [order, other] = [OrderId::generate(now), OrderId::generate(now)];
        let subscription = watch.subscribe(order);
        let is_woken = |wake: &dyn Fn()| {
            let mut changed = std::pin::pin!(subscription.changed.notified());
            changed.as_mut().enable();
            wake();
            changed.now_or_never().is_some()
        };
        assert!(!is_woken(&|| watch.notify(other)));
        assert!(is_woken(&|| watch.notify(order)));
        assert!(is_woken(&|| watch.observe(&[(order, Some(3))])), "the first poll may follow a missed change");
        assert!(!is_woken(&|| watch.observe(&[(order, Some(3)), (other, Some(4))])));
        assert!(is_woken(&|| watch.observe(&[(order, Some(4))])));
        assert!(is_woken(&|| watch.observe(&[(order, Some(4)), (order, None)])), "entries without a number");
        assert!(!is_woken(&|| watch.observe(&[(order, Some(4))])));
    }

    #[tokio::test]
    async fn timeline_is_watched_until_its_last_reader_ends() {
        let (watch, order) = (TimelineWatch::default(), OrderId::generate(DateTime::UNIX_EPOCH));
        let (first, second) = (watch.subscribe(order), watch.subscribe(order));
        drop(first);
        assert_eq!(watch.orders(), [order]);
        drop(second);
        assert!(watch.orders().is_empty());
    }
}
