//! Worker that delivers webhooks: at least once, concurrently, across restarts.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::config::RetrySchedule;
use crate::state::AppState;
use crate::store::deliveries;

pub(crate) mod attempt;
pub(crate) mod signature;
mod tamper;

use attempt::Sender;

/// Maximum number of concurrent attempts. One that hangs occupies a slot until its time-out.
const MAX_CONCURRENT: usize = 32;
/// Maximum time that the worker sleeps, so that it notices a changed clock or a row of another process.
const MAX_SLEEP: Duration = Duration::from_secs(5);
/// Delay after the ledger could not be read.
const ERROR_DELAY: Duration = Duration::from_secs(1);
/// Time that attempts have to finish after shutdown was requested. Cancelled ones are repeated after the next start.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// Worker that delivers webhooks.
#[derive(Debug)]
pub(crate) struct Deliveries {
    app: AppState,
    sender: Arc<Sender>,
    schedule: RetrySchedule,
    /// Ids of the deliveries in flight, by task.
    in_flight: HashMap<Id, i64>,
    attempts: JoinSet<()>,
}

impl Deliveries {
    /// Creates a worker.
    pub(crate) fn new(app: AppState, sender: Sender, schedule: RetrySchedule) -> Self {
        Self { app, sender: Arc::new(sender), schedule, in_flight: HashMap::new(), attempts: JoinSet::new() }
    }

    /// Delivers until `shutdown`, then waits for the attempts in flight.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            let delay = match self.step().await {
                Ok(delay) => delay,
                Err(error) => {
                    tracing::error!(%error, "reading due webhooks failed");
                    ERROR_DELAY
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = self.app.delivery_wake.notified() => {}
                Some(ended) = self.attempts.join_next_with_id() => self.remove(&ended),
                () = sleep(delay) => {}
            }
        }
        let drained = timeout(DRAIN_TIMEOUT, async { while self.attempts.join_next().await.is_some() {} });
        if drained.await.is_err() {
            self.attempts.shutdown().await;
        }
    }

    /// Starts an attempt for each due webhook up to the limit, and returns the time until the next one is due.
    async fn step(&mut self) -> Result<Duration, sqlx::Error> {
        while let Some(ended) = self.attempts.try_join_next_with_id() {
            self.remove(&ended);
        }
        let now = self.app.clock.now();
        let (due, next) = {
            let mut conn = self.app.store.reader.acquire().await?;
            // Those in flight are still due in the ledger, so they are read too.
            let due = deliveries::list_due(&mut conn, now, MAX_CONCURRENT + self.in_flight.len()).await?;
            (due, deliveries::next_due_after(&mut conn, now).await?)
        };
        for delivery in due {
            if self.in_flight.values().any(|id| *id == delivery.id) {
                continue;
            }
            if self.in_flight.len() == MAX_CONCURRENT {
                break;
            }
            let (app, sender, schedule) = (self.app.clone(), Arc::clone(&self.sender), self.schedule);
            let id = delivery.id;
            let task = self.attempts.spawn(async move { attempt::attempt(&app, &sender, &schedule, &delivery).await });
            self.in_flight.insert(task.id(), id);
        }
        let wait = next.map_or(MAX_SLEEP, |next| Duration::from_millis(u64::try_from(next.0 - now.0).unwrap_or(0)));
        Ok(wait.min(MAX_SLEEP))
    }

    /// Removes a finished attempt. The delivery of one that panicked is still due.
    fn remove(&mut self, ended: &Result<(Id, ()), JoinError>) {
        let task = match ended {
            Ok((task, ())) => *task,
            Err(error) => {
                tracing::error!(%error, "webhook attempt panicked");
                error.id()
            }
        };
        self.in_flight.remove(&task);
    }
}
