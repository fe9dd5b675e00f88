//! Metrics of the process and the Tokio runtime.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeMetrics};

use super::Metrics;
use crate::telemetry::dropped::spans_dropped;

impl Metrics {
    /// Registers the service's name and version, its dropped spans, and the metrics of the current runtime. Services in
    /// one process share the runtime, so each reports the same values.
    pub fn describe(&self, service: &'static str, version: &str, environment: &str) {
        let help = "Version of the running service; always 1.";
        let info = self.gauge_vec("build_info", help, &["service", "version", "environment"]);
        info.with_label_values(&[service, version, environment]).set(1);
        let help = "Dropped spans.";
        let dropped = self.counter_vec("telemetry_spans_dropped_total", help, &[]).with_label_values::<&str>(&[]);
        self.before_render(move || {
            let all = spans_dropped(service);
            dropped.inc_by(all.saturating_sub(dropped.get()));
        });
        if let Ok(runtime) = Handle::try_current() {
            self.show_runtime(runtime.metrics());
        }
    }

    fn show_runtime(&self, runtime: RuntimeMetrics) {
        let gauge = |name, help| self.gauge_vec(name, help, &[]).with_label_values::<&str>(&[]);
        let workers = gauge("tokio_workers", "Worker threads.");
        let tasks = gauge("tokio_alive_tasks", "Alive tasks.");
        let queue = gauge("tokio_global_queue_depth", "Tasks in the global queue.");
        let help = "Total busy time of the worker threads.";
        let busy = self.seconds_vec("tokio_worker_busy_seconds_total", help, &[]).with_label_values::<&str>(&[]);
        let shown = Mutex::new(Duration::ZERO);
        self.before_render(move || {
            workers.set(whole(runtime.num_workers()));
            tasks.set(whole(runtime.num_alive_tasks()));
            queue.set(whole(runtime.global_queue_depth()));
            let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
            let now: Duration =
                (0..runtime.num_workers()).map(|worker| runtime.worker_total_busy_duration(worker)).sum();
            busy.inc_by(now.saturating_sub(*shown).as_secs_f64());
            *shown = now.max(*shown);
        });
    }
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
