//! The rate at which objects are read from the provider where nobody waits for the answer.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::StripeError;

/// Reads in any one second.
const MAX_READS: usize = 20;
const WINDOW: Duration = Duration::from_secs(1);
/// First pause of all reads after the provider was overloaded or failed; it doubles with each such answer in a row.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Longest time that a read waits for its turn: it is made under a lease.
const MAX_WAIT: Duration = Duration::from_secs(2);

/// Limit of reads: 20 in any second, and fewer while the provider answers with 429 or a fault of its own. Clones share
/// it.
#[derive(Clone, Default)]
pub(super) struct ReadLimit(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Times of the last reads, the oldest first; some may be ahead.
    last: VecDeque<Instant>,
    failures: u32,
    paused_until: Option<Instant>,
}

impl ReadLimit {
    /// Waits for a turn.
    ///
    /// # Errors
    /// As if the provider had answered 429, if the turn does not come within two seconds.
    pub(super) async fn turn(&self) -> Result<(), StripeError> {
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

    /// Notes what came of a read: an overloaded or failing provider is left alone for a while that grows.
    pub(super) fn note<T>(&self, result: &Result<T, StripeError>) {
        let overloaded = matches!(result, Err(StripeError::NotNow { status: 429, .. } | StripeError::Failed { .. }));
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !overloaded {
            state.failures = 0;
            state.paused_until = None;
            return;
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << state.failures.min(10)).min(LONGEST_PAUSE);
        state.failures = state.failures.saturating_add(1);
        state.paused_until = Some(Instant::now() + pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_reads_are_let_through_in_any_second() {
        let (limit, now) = (ReadLimit::default(), Instant::now());
        let turns: Vec<_> = (0..50).map(|_| limit.reserve(now).unwrap() - now).collect();
        for pair in turns.windows(MAX_READS + 1) {
            assert!(pair[MAX_READS] - pair[0] >= WINDOW, "{turns:?}");
        }
        assert_eq!(turns[MAX_READS - 1], Duration::ZERO, "the first ones do not wait");
        let later = (50..100).filter_map(|_| limit.reserve(now)).count();
        assert_eq!(later, 10, "nobody waits longer than two seconds");
    }

    #[test]
    fn failing_provider_is_left_alone_for_longer_each_time() {
        let limit = ReadLimit::default();
        let failed: Result<(), _> = Err(StripeError::Failed { status: 503 });
        let pause = |limit: &ReadLimit| limit.0.lock().unwrap().paused_until.map(|until| until - Instant::now());
        let mut before = Duration::ZERO;
        for _ in 0..7 {
            limit.note(&failed);
            let now = pause(&limit).unwrap();
            assert!(now > before, "{now:?} after {before:?}");
            before = now;
        }
        assert!(limit.reserve(Instant::now()).is_none());
        limit.note(&Ok(()));
        assert_eq!(pause(&limit), None);
        let refused: Result<(), _> =
            Err(StripeError::Refused { status: 404, code: None, param: None, message: String::new() });
        limit.note(&refused);
        assert!(limit.reserve(Instant::now()).is_some(), "an answer is an answer");
    }
}
