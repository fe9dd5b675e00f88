//! Background work: one `step()` at a time, woken by a notification and by a timer.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::Notify;

use crate::BoxError;
use crate::clock::SharedClock;
use crate::metrics::Metrics;
use crate::service::Shutdown;

/// The longest that a worker sleeps, whatever it expects: something may have fallen due unheard, or the clock moved.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);
/// The first and the longest pause after a failed step; it doubles with each one in a row.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// When a worker wants its next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// At once: there is more to do.
    Again,
    /// When this falls due, or when it is woken.
    At(DateTime<Utc>),
    /// When it is woken, or after its interval.
    Idle,
}

/// Why a step failed.
pub type WorkerError = BoxError;

/// Something that a service does by itself.
#[async_trait::async_trait]
pub trait Worker: Send + Sync + 'static {
    /// For logs, such as `outbox-relay`.
    fn name(&self) -> &'static str;

    /// Does what must be done once before the service accepts requests. It ends in a bounded time, whatever is unavailable.
    async fn prepare(&self) {}

    /// One unit of work.
    ///
    /// # Errors
    /// If it failed; it is logged, and the step is tried again after a pause that grows to two seconds.
    async fn step(&self) -> Result<Next, WorkerError>;

    /// What wakes it before its time.
    fn wake(&self) -> Option<Arc<Notify>> {
        None
    }

    /// The time between steps that found nothing to do; five seconds at most.
    fn interval(&self) -> Duration {
        Duration::from_secs(1)
    }
}

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
                let (worker, error) = (worker.name(), crate::chain(&*error));
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

    use super::*;

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
        let running = run(worker.clone(), crate::clock::system(), metrics.clone(), stop);
        tokio::time::timeout(Duration::from_secs(30), running).await.unwrap();
        assert_eq!(worker.steps.load(Ordering::SeqCst), 4);
        let rendered = metrics.render();
        for (outcome, steps) in [("done", 1), ("failed", 1), ("idle", 2)] {
            let line = format!("worker_steps_total{{outcome=\"{outcome}\",worker=\"counting\"}} {steps}");
            assert!(rendered.contains(&line), "{line} is not in\n{rendered}");
        }
    }
}
