//! Rate limit of background reads, for whose response no client waits.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use common::task::Backoff;
use tokio::time::{Instant, sleep_until};

use super::StripeError;

/// Maximum reads in any one second.
const MAX_READS: usize = 20;
const WINDOW: Duration = Duration::from_secs(1);
/// Pauses of all reads after the provider was overloaded or failed, by the number of such responses in a row.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(30));
/// Maximum wait of a read, which is made under a lease.
const MAX_WAIT: Duration = Duration::from_secs(2);

/// Rate limit of reads: 20 in any second, and fewer while the provider returns 429 or server errors. Clones share it.
#[derive(Clone, Default)]
pub(super) struct ReadRateLimit(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Times of the last reads, oldest first; some may lie in the future.
    last: VecDeque<Instant>,
    failures: u32,
    paused_until: Option<Instant>,
}

impl ReadRateLimit {
    /// Waits for permission to read.
    ///
    /// # Errors
    /// [`StripeError::Transient`] as for a 429 response, if the wait would exceed two seconds.
    pub(super) async fn acquire(&self) -> Result<(), StripeError> {
        let at = self.reserve(Instant::now()).ok_or_else(StripeError::reads_paused)?;
        sleep_until(at).await;
        Ok(())
    }

    fn reserve(&self, now: Instant) -> Option<Instant> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let free = if state.last.len() < MAX_READS { now } else { *state.last.front()? + WINDOW };
        let at = free.max(now).max(state.paused_until.unwrap_or(now));
        if at - now > MAX_WAIT {
            return None;
        }
        if state.last.len() == MAX_READS {
            state.last.pop_front();
        }
        state.last.push_back(at);
        Some(at)
    }

    /// Records the result of a read: an overloaded or failing provider pauses all reads for a growing time.
    pub(super) fn record<T>(&self, result: &Result<T, StripeError>) {
        let overloaded = matches!(result, Err(StripeError::Transient { status: 429, .. } | StripeError::Failed { .. }));
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !overloaded {
            state.failures = 0;
            state.paused_until = None;
            return;
        }
        state.failures = state.failures.saturating_add(1);
        state.paused_until = Some(Instant::now() + BACKOFF.pause(state.failures));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_twenty_reads_start_in_any_second() {
        let (limit, now) = (ReadRateLimit::default(), Instant::now());
        let waits: Vec<_> = (0..50).map(|_| limit.reserve(now).unwrap() - now).collect();
        for pair in waits.windows(MAX_READS + 1) {
            assert!(pair[MAX_READS] - pair[0] >= WINDOW, "{waits:?}");
        }
        assert_eq!(waits[MAX_READS - 1], Duration::ZERO, "the first reads do not wait");
        let later = (50..100).filter_map(|_| limit.reserve(now)).count();
        assert_eq!(later, 10, "no read waits longer than two seconds");
    }

    #[test]
    fn pause_grows_with_each_failure_of_the_provider() {
        let limit = ReadRateLimit::default();
        let failed: Result<(), _> = Err(StripeError::Failed { status: 503 });
        let pause = |limit: &ReadRateLimit| limit.0.lock().unwrap().paused_until.map(|until| until - Instant::now());
        let mut before = Duration::ZERO;
        for _ in 0..7 {
            limit.record(&failed);
            let now = pause(&limit).unwrap();
            assert!(now > before, "{now:?} after {before:?}");
            before = now;
        }
        assert!(limit.reserve(Instant::now()).is_none());
        limit.record(&Ok(()));
        assert_eq!(pause(&limit), None);
        let rejected: Result<(), _> =
            Err(StripeError::Rejected { status: 404, code: None, param: None, message: String::new() });
        limit.record(&rejected);
        assert!(limit.reserve(Instant::now()).is_some(), "a rejection is a response");
    }
}
