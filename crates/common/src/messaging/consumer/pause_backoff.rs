//! How long a consumer pauses while its store or a peer is away.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The pause before a failed message's second try; it doubles with each one.
pub(super) const FIRST_RETRY: Duration = Duration::from_millis(100);
/// The longest pause of a consumer whose store or peer is away.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Counts rounds in which something was away, not messages: those that are handled at the same time fail together, and
/// one short absence must not cost the longest pause.
#[derive(Default)]
pub(super) struct Away(AtomicU32);

impl Away {
    /// The round that a message is handled in, to be handed back if it fails.
    pub(super) fn round(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }

    /// A message of this round had to wait; `true` for the first of them.
    pub(super) fn failed_in(&self, round: u32) -> bool {
        self.0.compare_exchange(round, round.saturating_add(1), Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// A message did not have to wait.
    pub(super) fn is_back(&self) {
        self.0.store(0, Ordering::SeqCst);
    }

    /// How long to wait until the next message is taken.
    pub(super) fn pause(&self) -> Duration {
        match self.round() {
            0 => Duration::ZERO,
            rounds => doubled(FIRST_RETRY, rounds, LONGEST_PAUSE),
        }
    }
}

/// Doubles a pause so many times, up to the longest.
pub(super) fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    first.saturating_mul(1 << (times - 1).min(16)).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_fail_together_count_once() {
        let away = Away::default();
        let rounds: Vec<_> = (0..8).map(|_| away.round()).collect();
        let first: Vec<_> = rounds.into_iter().map(|round| away.failed_in(round)).collect();
        assert_eq!(first.iter().filter(|first| **first).count(), 1);
        assert_eq!(away.pause(), FIRST_RETRY);
    }

    #[test]
    fn the_pause_grows_to_its_limit_and_ends_when_the_store_is_back() {
        let away = Away::default();
        assert_eq!(away.pause(), Duration::ZERO);
        let pauses: Vec<_> = (0..8)
            .map(|_| {
                away.failed_in(away.round());
                away.pause().as_millis()
            })
            .collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 2000, 2000, 2000]);
        away.is_back();
        assert_eq!(away.pause(), Duration::ZERO);
    }
}
