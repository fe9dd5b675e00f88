//! Reconciler: polls the provider about open payments and performs due tasks.
//!
//! Every committed change wakes it, so that a task that falls due at once is performed at once.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use common::runtime::{NextRun, Worker, WorkerError};
use tokio::sync::{Mutex, Notify};
use tokio::task::JoinSet;

use crate::error::Error;
use crate::repository::ReconcileTask;
use crate::service::PaymentService;

/// Maximum number of concurrent tasks, so that a task that waits for the provider does not delay the others.
const MAX_CONCURRENT_TASKS: usize = 16;
/// Maximum sleep: a wake-up may be lost with the process that owed it.
const INTERVAL: Duration = Duration::from_secs(5);

/// Worker that performs due tasks of payments and refunds.
pub(crate) struct Reconciler {
    payments: PaymentService,
    running: Mutex<Running>,
}

/// Tasks in progress. They are aborted with the process; another worker takes over after the expiry of their leases.
#[derive(Default)]
struct Running {
    handles: JoinSet<(ReconcileTask, Result<(), Error>)>,
    tasks: HashSet<ReconcileTask>,
}

impl Reconciler {
    pub(crate) fn new(payments: PaymentService) -> Self {
        Self { payments, running: Mutex::default() }
    }
}

#[async_trait]
impl Worker for Reconciler {
    fn name(&self) -> &'static str {
        "payment-reconciler"
    }

    /// Starts due tasks, and waits until one has ended or more may have fallen due.
    async fn step(&self) -> Result<NextRun, WorkerError> {
        let wake = self.payments.wake();
        let mut running = self.running.lock().await;
        let free = MAX_CONCURRENT_TASKS - running.handles.len();
        if free > 0 {
            // A task in progress is still listed until its lease is acquired.
            let limit = u32::try_from(MAX_CONCURRENT_TASKS + free)?;
            let due = self.payments.list_due_tasks(limit).await?;
            let new: Vec<_> = due.into_iter().filter(|task| !running.tasks.contains(task)).take(free).collect();
            for task in new {
                let payments = self.payments.clone();
                running.tasks.insert(task);
                running.handles.spawn(async move { (task, payments.reconcile(task).await) });
            }
        }
        if running.handles.is_empty() {
            return Ok(self.payments.next_due_at().await?.map_or(NextRun::OnWake, NextRun::At));
        }
        let ended = tokio::select! {
            ended = running.handles.join_next() => ended,
            () = wake.notified() => None,
        };
        match ended {
            Some(Ok((task, outcome))) => {
                running.tasks.remove(&task);
                outcome?;
            }
            Some(Err(panicked)) => {
                // The task is listed again after the expiry of its lease.
                running.tasks.clear();
                return Err(panicked.into());
            }
            None => {}
        }
        Ok(NextRun::Now)
    }

    fn wake(&self) -> Option<Arc<Notify>> {
        Some(self.payments.wake())
    }

    fn interval(&self) -> Duration {
        INTERVAL
    }
}
