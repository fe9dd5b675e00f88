//! Metrics of the connection pool, from the events of the driver (CMAP:
//! <https://github.com/mongodb/specifications/blob/master/source/connection-monitoring-and-pooling/connection-monitoring-and-pooling.md>).

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use common::telemetry::metrics::{Metrics, PoolMetrics};
use mongodb::event::EventHandler;
use mongodb::event::cmap::CmapEvent;

/// Observer of the connection pool. It counts connections from the first one and publishes waits once metrics are set.
#[derive(Debug, Default)]
pub(super) struct PoolObserver {
    open: AtomicI64,
    in_use: AtomicI64,
    metrics: OnceLock<PoolMetrics>,
}

impl PoolObserver {
    /// Returns the handler of the driver's events.
    pub(super) fn handler(observer: &Arc<Self>) -> EventHandler<CmapEvent> {
        let observer = observer.clone();
        EventHandler::callback(move |event| observer.handle(&event))
    }

    /// Publishes the state of the pool.
    pub(super) fn observe(observer: &Arc<Self>, pool_metrics: PoolMetrics, metrics: &Metrics) {
        // An observer that publishes waits already continues to do so to its first metrics.
        let _ = observer.metrics.set(pool_metrics.clone());
        let observer = observer.clone();
        metrics.before_render(move || {
            let (open, in_use) = (observer.open.load(Ordering::Relaxed), observer.in_use.load(Ordering::Relaxed));
            pool_metrics.show(open - in_use, in_use);
        });
    }

    fn handle(&self, event: &CmapEvent) {
        match event {
            CmapEvent::ConnectionCreated(_) => drop(self.open.fetch_add(1, Ordering::Relaxed)),
            CmapEvent::ConnectionClosed(_) => drop(self.open.fetch_sub(1, Ordering::Relaxed)),
            CmapEvent::ConnectionCheckedOut(checked_out) => {
                self.in_use.fetch_add(1, Ordering::Relaxed);
                self.record_wait(checked_out.duration);
            }
            CmapEvent::ConnectionCheckedIn(_) => drop(self.in_use.fetch_sub(1, Ordering::Relaxed)),
            CmapEvent::ConnectionCheckoutFailed(failed) => self.record_wait(failed.duration),
            _ => {}
        }
    }

    fn record_wait(&self, time: Duration) {
        if let Some(metrics) = self.metrics.get() {
            metrics.waited(time);
        }
    }
}
