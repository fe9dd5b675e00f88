//! Exponential backoff.

use std::time::Duration;

/// Maximum number of doublings, so that a long outage does not overflow.
const MAX_DOUBLINGS: u32 = 16;

/// Pauses that double with each consecutive failure, up to a maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    initial: Duration,
    max: Duration,
}

impl Backoff {
    /// Creates a backoff from the pause after the first failure and the maximum pause.
    #[must_use]
    pub const fn new(initial: Duration, max: Duration) -> Self {
        Self { initial, max }
    }

    /// Returns the pause after this number of consecutive failures; zero after none.
    #[must_use]
    pub fn pause(self, failures: u32) -> Duration {
        match failures.checked_sub(1) {
            Some(doublings) => self.initial.saturating_mul(1 << doublings.min(MAX_DOUBLINGS)).min(self.max),
            None => Duration::ZERO,
        }
    }

    /// Returns the pause with its second half random, so that callers that failed together do not return together.
    #[must_use]
    pub fn jittered(self, failures: u32) -> Duration {
        let pause = self.pause(failures);
        pause / 2 + (pause / 2).mul_f64(rand::random())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));

    #[test]
    fn pauses_double_up_to_the_maximum() {
        let pauses = (0..8).map(|failures| BACKOFF.pause(failures).as_millis()).collect::<Vec<_>>();
        assert_eq!(pauses, [0, 100, 200, 400, 800, 1600, 2000, 2000]);
        assert_eq!(BACKOFF.pause(u32::MAX), Duration::from_secs(2));
    }

    #[test]
    fn jittered_pause_is_at_least_half() {
        assert_eq!(BACKOFF.jittered(0), Duration::ZERO);
        for _ in 0..100 {
            let pause = BACKOFF.jittered(3).as_millis();
            assert!((200..=400).contains(&pause), "{pause}");
        }
    }
}
