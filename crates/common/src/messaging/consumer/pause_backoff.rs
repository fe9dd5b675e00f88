//! Pause of a consumer while its store or another service is unavailable.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::task::backoff::Backoff;

/// Pauses of a consumer whose store or peer is unavailable.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));

/// Counter of failed rounds instead of failed messages: messages in progress at the same time fail together, and one
/// short outage must not cause the longest pause.
#[derive(Default)]
pub(super) struct PauseBackoff(AtomicU32);

impl PauseBackoff {
    /// Returns the round of a message, to be returned with its failure.
    pub(super) fn round(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }

    /// Records a failure in a round and returns whether it is the first of the round.
    pub(super) fn record_failure(&self, round: u32) -> bool {
        self.0.compare_exchange(round, round.saturating_add(1), Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// Records a success, which ends the pause.
    pub(super) fn reset(&self) {
        self.0.store(0, Ordering::SeqCst);
    }

    /// Returns the pause before the next message.
    pub(super) fn pause(&self) -> Duration {
        BACKOFF.pause(self.round())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simultaneous_failures_count_once() {
        let pause_backoff = PauseBackoff::default();
        let rounds: Vec<_> = (0..8).map(|_| pause_backoff.round()).collect();
        let first: Vec<_> = rounds.into_iter().map(|round| pause_backoff.record_failure(round)).collect();
        assert_eq!(first.iter().filter(|first| **first).count(), 1);
        assert_eq!(pause_backoff.pause(), Duration::from_millis(100));
    }

    #[test]
    fn pause_grows_to_its_maximum_and_ends_with_a_success() {
        let pause_backoff = PauseBackoff::default();
        assert_eq!(pause_backoff.pause(), Duration::ZERO);
        let pauses: Vec<_> = (0..8)
            .map(|_| {
                pause_backoff.record_failure(pause_backoff.round());
                pause_backoff.pause().as_millis()
            })
            .collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 2000, 2000, 2000]);
        pause_backoff.reset();
        assert_eq!(pause_backoff.pause(), Duration::ZERO);
    }
}
