//! Sends webhooks until they are taken: at least once, several at a time, across restarts.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::config::RetrySchedule;
use crate::sandbox::App;
use crate::store::deliveries;

pub(crate) mod attempt;
mod lie;
pub(crate) mod signature;

use attempt::Sender;

/// How many webhooks are under way at once. One that hangs takes room for as long as an attempt may last.
const AT_ONCE: usize = 32;
/// How long the worker sleeps at most: a clock that is set, or another process's row, is seen by then.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);
/// The rest after the ledger could not be read.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// How long attempts that are under way may go on when the sandbox ends. What is cut off is sent again at the next start.
const DRAIN: Duration = Duration::from_secs(2);

/// The worker that sends webhooks.
#[derive(Debug)]
pub(crate) struct Deliveries {
    app: App,
    sender: Arc<Sender>,
    schedule: RetrySchedule,
    /// The deliveries that are being attempted, by the task that does it.
    under_way: HashMap<Id, i64>,
    attempts: JoinSet<()>,
}

impl Deliveries {
    /// A worker that has not begun.
    pub(crate) fn new(app: App, sender: Sender, schedule: RetrySchedule) -> Self {
        Self { app, sender: Arc::new(sender), schedule, under_way: HashMap::new(), attempts: JoinSet::new() }
    }

    /// Sends until `shutdown`, then lets what is under way end.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            let rest = match self.step().await {
                Ok(rest) => rest,
                Err(error) => {
                    tracing::error!(%error, "the sandbox cannot read which webhooks are due");
                    AFTER_FAILURE
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = self.app.deliveries_wake.notified() => {}
                Some(ended) = self.attempts.join_next_with_id() => self.ended(&ended),
                () = sleep(rest) => {}
            }
        }
        let drained = timeout(DRAIN, async { while self.attempts.join_next().await.is_some() {} });
        if drained.await.is_err() {
            self.attempts.shutdown().await;
        }
    }

    /// Begins an attempt for each webhook that is due, as far as there is room; tells how long to rest.
    async fn step(&mut self) -> Result<Duration, sqlx::Error> {
        while let Some(ended) = self.attempts.try_join_next_with_id() {
            self.ended(&ended);
        }
        let now = self.app.clock.now();
        let (due, next) = {
            let mut conn = self.app.store.reader.acquire().await?;
            // Those under way are still due in the ledger, so they are read too.
            let due = deliveries::due(&mut conn, now, AT_ONCE + self.under_way.len()).await?;
            (due, deliveries::next_after(&mut conn, now).await?)
        };
        for delivery in due {
            if self.under_way.values().any(|id| *id == delivery.id) {
                continue;
            }
            if self.under_way.len() == AT_ONCE {
                break;
            }
            let (app, sender, schedule) = (self.app.clone(), Arc::clone(&self.sender), self.schedule);
            let id = delivery.id;
            let task = self.attempts.spawn(async move { attempt::attempt(&app, &sender, &schedule, &delivery).await });
            self.under_way.insert(task.id(), id);
        }
        let wait = next.map_or(LONGEST_SLEEP, |next| Duration::from_millis(u64::try_from(next.0 - now.0).unwrap_or(0)));
        Ok(wait.min(LONGEST_SLEEP))
    }

    /// Forgets an attempt. One that broke off left its delivery due.
    fn ended(&mut self, ended: &Result<(Id, ()), JoinError>) {
        let task = match ended {
            Ok((task, ())) => *task,
            Err(error) => {
                tracing::error!(%error, "an attempt to send a webhook broke off");
                error.id()
            }
        };
        self.under_way.remove(&task);
    }
}
