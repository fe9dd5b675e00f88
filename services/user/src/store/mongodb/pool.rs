//! How the driver's connections fare, by the events that it tells (CMAP:
//! <https://github.com/mongodb/specifications/blob/master/source/connection-monitoring-and-pooling/connection-monitoring-and-pooling.md>).

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use common::metrics::{Metrics, PoolMetrics};
use mongodb::event::EventHandler;
use mongodb::event::cmap::CmapEvent;

/// Counts connections from the first on, and tells waits once somebody observes it.
#[derive(Debug, Default)]
pub(super) struct Watched {
    open: AtomicI64,
    used: AtomicI64,
    seen: OnceLock<PoolMetrics>,
}

impl Watched {
    /// What the driver tells.
    pub(super) fn handler(this: &Arc<Self>) -> EventHandler<CmapEvent> {
        let this = this.clone();
        EventHandler::callback(move |event| this.hear(&event))
    }

    /// Shows it so from now on.
    pub(super) fn observe(this: &Arc<Self>, seen: PoolMetrics, metrics: &Metrics) {
        // One that is observed already goes on telling waits where it did.
        let _ = this.seen.set(seen.clone());
        let this = this.clone();
        metrics.before_render(move || {
            let (open, used) = (this.open.load(Ordering::Relaxed), this.used.load(Ordering::Relaxed));
            seen.show(open - used, used);
        });
    }

    fn hear(&self, event: &CmapEvent) {
        match event {
            CmapEvent::ConnectionCreated(_) => drop(self.open.fetch_add(1, Ordering::Relaxed)),
            CmapEvent::ConnectionClosed(_) => drop(self.open.fetch_sub(1, Ordering::Relaxed)),
            CmapEvent::ConnectionCheckedOut(out) => {
                self.used.fetch_add(1, Ordering::Relaxed);
                self.waited(out.duration);
            }
            CmapEvent::ConnectionCheckedIn(_) => drop(self.used.fetch_sub(1, Ordering::Relaxed)),
            CmapEvent::ConnectionCheckoutFailed(failed) => self.waited(failed.duration),
            _ => {}
        }
    }

    fn waited(&self, time: Duration) {
        if let Some(seen) = self.seen.get() {
            seen.waited(time);
        }
    }
}
