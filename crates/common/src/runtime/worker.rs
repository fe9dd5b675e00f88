//! Loop that runs a worker.

use std::sync::Arc;
use std::time::Duration;

use crate::task::backoff::Backoff;
use crate::task::shutdown::Shutdown;
use crate::task::worker::{NextRun, Worker};
use crate::telemetry::clock::SharedClock;
use crate::telemetry::metrics::Metrics;

/// Maximum sleep of a worker, in case a notification was missed or the clock was moved.
const MAX_SLEEP: Duration = Duration::from_secs(5);
/// Pauses after failed steps.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));

/// Runs the worker's steps until the shutdown begins and finishes the current step. Each step is counted in `metrics`.
pub async fn run(worker: Arc<dyn Worker>, clock: SharedClock, metrics: Metrics, shutdown: Shutdown) {
    let wake = worker.wake().unwrap_or_default();
    let help = "Steps of background work, by worker and outcome.";
    let steps = metrics.counter_vec("worker_steps_total", help, &["worker", "outcome"]);
    let [done, idle, failed] =
        ["done", "idle", "failed"].map(|outcome| steps.with_label_values(&[worker.name(), outcome]));
    let mut failures = 0_u32;
    loop {
        let sleep = match worker.step().await {
            Ok(next) => {
                failures = 0;
                if next == NextRun::Now {
                    done.inc();
                } else {
                    idle.inc();
                }
                match next {
                    NextRun::Now => Duration::ZERO,
                    NextRun::At(due) => (due - clock.now()).to_std().unwrap_or_default(),
                    NextRun::OnWake => worker.interval(),
                }
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                let pause = BACKOFF.pause(failures);
                failed.inc();
                let (worker, error) = (worker.name(), crate::error_chain(&*error));
                tracing::warn!(worker, error, pause_ms = pause.as_millis(), "background step failed; retrying");
                pause
            }
        };
        tokio::select! {
            () = shutdown.soft() => return,
            () = wake.notified(), if failures == 0 => {}
            () = tokio::time::sleep(sleep.min(MAX_SLEEP)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Notify;

    use super::*;
    use crate::task::worker::WorkerError;

    struct Counting {
        steps: AtomicU32,
        wake: Arc<Notify>,
        stop: Shutdown,
    }

    #[async_trait::async_trait]
    impl Worker for Counting {
        fn name(&self) -> &'static str {
            "counting"
        }

        async fn step(&self) -> Result<NextRun, WorkerError> {
            match self.steps.fetch_add(1, Ordering::SeqCst) {
                0 => Err("not yet".into()),
                1 => Ok(NextRun::Now),
                2 => {
                    self.wake.notify_one();
                    Ok(NextRun::OnWake)
                }
                _ => {
                    self.stop.trigger();
                    Ok(NextRun::OnWake)
                }
            }
        }

        fn wake(&self) -> Option<Arc<Notify>> {
            Some(self.wake.clone())
        }
    }

    #[tokio::test]
    async fn worker_continues_after_a_failure_and_ends_at_shutdown() {
        let stop = Shutdown::new();
        let worker = Arc::new(Counting { steps: AtomicU32::new(0), wake: Arc::default(), stop: stop.clone() });
        let metrics = Metrics::new();
        let running = run(worker.clone(), crate::telemetry::clock::system(), metrics.clone(), stop);
        tokio::time::timeout(Duration::from_secs(30), running).await.unwrap();
        assert_eq!(worker.steps.load(Ordering::SeqCst), 4);
        let rendered = metrics.render();
        for (outcome, steps) in [("done", 1), ("failed", 1), ("idle", 2)] {
            let line = format!("worker_steps_total{{outcome=\"{outcome}\",worker=\"counting\"}} {steps}");
            assert!(rendered.contains(&line), "{line} is not in\n{rendered}");
        }
    }
}
