//! Deletions that Redis did not confirm.

use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Maximum time to live of an entry.
pub const MAX_TTL: Duration = Duration::from_secs(3600);
/// Maximum number of recorded keys, about 10 MB.
const MAX_KEYS: usize = 50_000;

/// Keys to delete before the next read from Redis.
#[derive(Default)]
pub(super) struct MissedInvalidations {
    keys: HashSet<String>,
    /// Set when there were too many keys. They are dropped, so Redis is not read until all its current entries have
    /// expired.
    forgotten: Option<Instant>,
}

impl MissedInvalidations {
    pub(super) fn add(&mut self, keys: Vec<String>, now: Instant) {
        if self.keys.len() + keys.len() > MAX_KEYS {
            self.keys.clear();
            self.forgotten = Some(now);
        } else if self.forgotten.is_some() {
            self.forgotten = Some(now);
        } else {
            self.keys.extend(keys);
        }
    }

    /// Takes the keys to delete; empty if nothing is left.
    pub(super) fn take(&mut self) -> Vec<String> {
        self.keys.drain().collect()
    }

    /// Returns whether reads must wait until dropped keys have expired.
    pub(super) fn must_wait(&mut self, now: Instant) -> bool {
        if self.forgotten.is_some_and(|at| now.duration_since(at) > MAX_TTL) {
            self.forgotten = None;
        }
        self.forgotten.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(range: std::ops::Range<usize>) -> Vec<String> {
        range.map(|number| number.to_string()).collect()
    }

    #[test]
    fn too_many_missed_keys_are_left_to_expire() {
        let (mut missed, begin, second) = (MissedInvalidations::default(), Instant::now(), Duration::from_secs(1));
        missed.add(keys(0..MAX_KEYS), begin);
        assert!(!missed.must_wait(begin));
        missed.add(keys(MAX_KEYS..MAX_KEYS + 1), begin);
        assert!(missed.must_wait(begin) && missed.take().is_empty());

        let last = begin + MAX_TTL;
        missed.add(keys(0..1), last);
        assert!(missed.must_wait(last + MAX_TTL) && missed.take().is_empty(), "the last one counts");
        let end = last + MAX_TTL + second;
        assert!(!missed.must_wait(end));

        missed.add(keys(0..1), end);
        assert_eq!(missed.take(), ["0"]);
    }
}
