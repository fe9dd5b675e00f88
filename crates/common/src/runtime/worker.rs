//! The loop that runs a worker.

use std::sync::Arc;
use std::time::Duration;

use crate::task::shutdown::Shutdown;
use crate::task::worker::{Next, Worker};
use crate::telemetry::clock::SharedClock;
use crate::telemetry::metrics::Metrics;

/// The longest that a worker sleeps, whatever it expects: something may have fallen due unheard, or the clock moved.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);
/// The first and the longest pause after a failed step; it doubles with each one in a row.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Steps until the shutdown begins; a step that is under way is finished. Each step is counted in `metrics`.
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
                if next == Next::Again {
                    done.inc();
                } else {
                    idle.inc();
                }
                match next {
                    Next::Again => Duration::ZERO,
                    Next::At(due) => (due - clock.now()).to_std().unwrap_or_default(),
                    Next::Idle => worker.interval(),
                }
            }
            Err(error) => {
                let pause = FIRST_PAUSE.saturating_mul(1 << failures.min(10)).min(LONGEST_PAUSE);
                failures += 1;
                failed.inc();
                let (worker, error) = (worker.name(), crate::error_chain(&*error));
                tracing::warn!(
                    worker,
                    error,
                    pause_ms = pause.as_millis(),
                    "background step failed, it is tried again"
                );
                pause
            }
        };
        tokio::select! {
            () = shutdown.soft() => return,
            () = wake.notified(), if failures == 0 => {}
            () = tokio::time::sleep(sleep.min(LONGEST_SLEEP)) => {}
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

        async fn step(&self) -> Result<Next, WorkerError> {
            match self.steps.fetch_add(1, Ordering::SeqCst) {
                0 => Err("not yet".into()),
                1 => Ok(Next::Again),
                2 => {
                    self.wake.notify_one();
                    Ok(Next::Idle)
                }
                _ => {
                    self.stop.trigger();
                    Ok(Next::Idle)
                }
            }
        }

        fn wake(&self) -> Option<Arc<Notify>> {
            Some(self.wake.clone())
        }
    }

    #[tokio::test]
    async fn a_worker_goes_on_after_a_failure_and_ends_at_shutdown() {
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
