//! Counters by client address, in bounded memory.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Addresses kept in one generation; at most two generations are kept.
const GENERATION: usize = 10_000;

/// When a generation is full it becomes the old one, and the old one is dropped: an address that was not seen while
/// so many others were is forgotten, whatever it has used up. Kong's shared memory does the same when it is full.
#[derive(Debug, Default)]
pub(super) struct Counters(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<IpAddr, Vec<Window>>,
    old: HashMap<IpAddr, Vec<Window>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    start: i64,
    used: u64,
}

impl Counters {
    /// Counts a request in each of the windows, which began at `starts`, unless `full` names one, given what was used
    /// before. Answers what was used before, and what `full` said.
    pub(super) fn count(
        &self,
        client: IpAddr,
        starts: &[i64],
        full: impl FnOnce(&[u64]) -> Option<usize>,
    ) -> (Vec<u64>, Option<usize>) {
        // A panic while it was held leaves numbers at worst one too low.
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let windows = generations.of(client, starts.len());
        for (window, start) in windows.iter_mut().zip(starts) {
            if window.start != *start {
                *window = Window { start: *start, used: 0 };
            }
        }
        let used: Vec<u64> = windows.iter().map(|window| window.used).collect();
        let stop = full(&used);
        if stop.is_none() {
            for window in windows {
                window.used = window.used.saturating_add(1);
            }
        }
        (used, stop)
    }
}

impl Generations {
    fn of(&mut self, client: IpAddr, windows: usize) -> &mut Vec<Window> {
        if !self.young.contains_key(&client) && self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        let old = &mut self.old;
        self.young
            .entry(client)
            .or_insert_with(|| old.remove(&client).unwrap_or_else(|| vec![Window::default(); windows]))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn used(counters: &Counters, client: u32) -> u64 {
        counters.count(Ipv4Addr::from(client).into(), &[0], |_| None).0[0]
    }

    #[test]
    fn memory_is_bounded_and_the_active_are_kept() {
        let counters = Counters::default();
        for client in 0..100_000 {
            used(&counters, client);
            assert_eq!(used(&counters, u32::MAX), u64::from(client), "the active one");
        }
        let generations = counters.0.lock().unwrap();
        assert!(generations.young.len() <= GENERATION);
        assert!(generations.old.len() <= GENERATION);
    }
}
