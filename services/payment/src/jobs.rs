//! What the payment service does by the clock: it asks the provider about what stays open, and carries out what was
//! promised. It is also woken after each change, so that what falls due at once is done at once.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use common::worker::{Next, Worker, WorkerError};
use tokio::sync::{Mutex, Notify};
use tokio::task::JoinSet;

use crate::error::Error;
use crate::store::Due;
use crate::till::Till;

/// Things that are done at the same time, so that one that waits for the provider does not hold up the others.
const AT_ONCE: usize = 16;
/// The longest sleep: a notification may be lost with the process that owed it.
const INTERVAL: Duration = Duration::from_secs(5);

/// Does what is due about payments and refunds.
pub(crate) struct Reconciler {
    till: Till,
    running: Mutex<Running>,
}

/// Work in progress. It is aborted with the process: its lease runs out then, and somebody else takes it up.
#[derive(Default)]
struct Running {
    tasks: JoinSet<(Due, Result<(), Error>)>,
    due: HashSet<Due>,
}

impl Reconciler {
    pub(crate) fn new(till: Till) -> Self {
        Self { till, running: Mutex::default() }
    }
}

#[async_trait]
impl Worker for Reconciler {
    fn name(&self) -> &'static str {
        "payment-reconciler"
    }

    /// Starts what is due, and waits until some of it has ended or more may have fallen due.
    async fn step(&self) -> Result<Next, WorkerError> {
        let wake = self.till.ledger().wake();
        let mut running = self.running.lock().await;
        let free = AT_ONCE - running.tasks.len();
        if free > 0 {
            // What is in progress may still be listed, until its lease is taken.
            let listed = u32::try_from(AT_ONCE + free)?;
            let due = self.till.ledger().due(listed).await?;
            let fresh: Vec<_> = due.into_iter().filter(|due| !running.due.contains(due)).take(free).collect();
            for due in fresh {
                let till = self.till.clone();
                running.due.insert(due);
                running.tasks.spawn(async move { (due, till.work(due).await) });
            }
        }
        if running.tasks.is_empty() {
            return Ok(self.till.ledger().next_due().await?.map_or(Next::Idle, Next::At));
        }
        let ended = tokio::select! {
            ended = running.tasks.join_next() => ended,
            () = wake.notified() => None,
        };
        match ended {
            Some(Ok((due, outcome))) => {
                running.due.remove(&due);
                outcome?;
            }
            Some(Err(panicked)) => {
                // Whatever it was is listed again once its lease has run out.
                running.due.clear();
                return Err(panicked.into());
            }
            None => {}
        }
        Ok(Next::Again)
    }

    fn wake(&self) -> Option<Arc<Notify>> {
        Some(self.till.ledger().wake())
    }

    fn interval(&self) -> Duration {
        INTERVAL
    }
}
