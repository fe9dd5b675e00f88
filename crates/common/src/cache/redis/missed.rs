//! Deletions that Redis did not confirm.

use std::collections::HashSet;
use std::time::{Duration, Instant};

/// The longest that anything is kept.
pub const LONGEST: Duration = Duration::from_secs(3600);
/// The most keys that are remembered, about 10 MB of them.
const MOST: usize = 50_000;

/// What must be deleted before Redis is read again.
#[derive(Default)]
pub(super) struct Missed {
    keys: HashSet<String>,
    /// Set once there were too many: since they are forgotten, Redis is not read until all that it had then has run out.
    forgotten: Option<Instant>,
}

impl Missed {
    pub(super) fn add(&mut self, keys: Vec<String>, now: Instant) {
        if self.keys.len() + keys.len() > MOST {
            self.keys.clear();
            self.forgotten = Some(now);
        } else if self.forgotten.is_some() {
            self.forgotten = Some(now);
        } else {
            self.keys.extend(keys);
        }
    }

    /// Takes what is to be deleted now; empty if nothing is left to do.
    pub(super) fn take(&mut self) -> Vec<String> {
        self.keys.drain().collect()
    }

    /// Whether it must be waited until forgotten keys have run out.
    pub(super) fn must_wait(&mut self, now: Instant) -> bool {
        if self.forgotten.is_some_and(|at| now.duration_since(at) > LONGEST) {
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
    fn too_many_are_waited_for_instead_of_deleted() {
        let (mut missed, begin, second) = (Missed::default(), Instant::now(), Duration::from_secs(1));
        missed.add(keys(0..MOST), begin);
        assert!(!missed.must_wait(begin));
        missed.add(keys(MOST..MOST + 1), begin);
        assert!(missed.must_wait(begin) && missed.take().is_empty());

        let last = begin + LONGEST;
        missed.add(keys(0..1), last);
        assert!(missed.must_wait(last + LONGEST) && missed.take().is_empty(), "the last one counts");
        let end = last + LONGEST + second;
        assert!(!missed.must_wait(end));

        missed.add(keys(0..1), end);
        assert_eq!(missed.take(), ["0"]);
    }
}
