//! Work whose result several requests share. It runs as its own task, so the deadline and cancellation of the request
//! that began it affect only that request.

use std::future::Future;
use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use tokio::task::{AbortHandle, JoinError};
use tracing::Instrument as _;

use super::request_context;

/// Runs `work` as a task with the request's id and trace, but without its deadline and cancellation.
pub(crate) async fn run<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let task = match request_context::current() {
        Some(context) => tokio::spawn(context.without_deadline().scope(work).in_current_span()),
        None => tokio::spawn(work.in_current_span()),
    };
    match task.await {
        Ok(outcome) => outcome,
        Err(error) => interrupted(error).await,
    }
}

/// Resumes a panic. A cancelled task belongs to a runtime that is shutting down and has no result.
async fn interrupted<T>(error: JoinError) -> T {
    match error.try_into_panic() {
        Ok(panic) => resume_unwind(panic),
        Err(_) => std::future::pending().await,
    }
}

type Task<T> = Shared<BoxFuture<'static, T>>;

/// Task of which at most one runs, whose result all callers share.
pub(crate) struct SingleFlight<T: Clone>(Mutex<Option<(AbortHandle, Task<T>)>>);

impl<T: Clone> Default for SingleFlight<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone + Send + Sync + 'static> SingleFlight<T> {
    /// Returns the result of the running task. If none runs, returns `known` or starts `work`, which has no deadline,
    /// request id or trace of a request.
    pub(crate) async fn join<F>(&self, known: impl FnOnce() -> Option<T>, work: impl FnOnce() -> F) -> T
    where
        F: Future<Output = T> + Send + 'static,
    {
        let task = {
            let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match running.as_ref().filter(|(handle, _)| !handle.is_finished()) {
                Some((_, task)) => task.clone(),
                None => {
                    // Evaluated under the lock: the last task may have ended since the caller checked.
                    if let Some(known) = known() {
                        return known;
                    }
                    let handle = tokio::spawn(work());
                    let abort = handle.abort_handle();
                    let outcome = handle.then(|outcome| async {
                        match outcome {
                            Ok(outcome) => outcome,
                            Err(error) => interrupted(error).await,
                        }
                    });
                    let task = outcome.boxed().shared();
                    *running = Some((abort, task.clone()));
                    task
                }
            }
        };
        task.await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn single_flight_outlives_the_caller_that_began_it() {
        let (flight, release, runs) = (SingleFlight::default(), Arc::new(Notify::new()), Arc::new(AtomicU32::new(0)));
        let work = || {
            let (release, runs) = (release.clone(), runs.clone());
            async move {
                runs.fetch_add(1, Ordering::SeqCst);
                release.notified().await;
                7
            }
        };
        let short = tokio::time::timeout(Duration::from_millis(1), flight.join(|| None, work));
        assert!(short.await.is_err(), "the caller's time ended first");
        let others = futures::future::join(flight.join(|| None, work), flight.join(|| None, work));
        release.notify_one();
        assert_eq!(others.await, (7, 7));
        assert_eq!(runs.load(Ordering::SeqCst), 1, "the task went on");
        assert_eq!(flight.join(|| Some(8), work).await, 8, "a result that ended is not handed out again");
    }

    #[tokio::test]
    async fn single_flight_restarts_after_an_abandoned_task() {
        let flight = SingleFlight::default();
        let done = Arc::new(Notify::new());
        let signal = done.clone();
        let first = async move {
            signal.notify_one();
            1
        };
        let waiting = flight.join(|| None, || first);
        assert!(futures::poll!(Box::pin(waiting)).is_pending());
        done.notified().await;
        tokio::task::yield_now().await;
        assert_eq!(flight.join(|| None, || async { 2 }).await, 2);
    }
}
