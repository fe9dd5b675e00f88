//! Counters by client address, in bounded memory.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Maximum number of addresses in one of the two generations.
const GENERATION: usize = 10_000;

/// Counters of one occurrence of the plugin.
#[derive(Debug, Default)]
pub(super) struct Counters(Mutex<TwoGenerationMap>);

/// Map that evicts in bulk: a full current generation becomes the previous one, which is dropped. An address without
/// requests while a generation filled loses its counts; Kong's shared memory evicts as well.
#[derive(Debug, Default)]
struct TwoGenerationMap {
    current: HashMap<IpAddr, Vec<Window>>,
    previous: HashMap<IpAddr, Vec<Window>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    start: i64,
    used: u64,
}

impl Counters {
    /// Counts a request in each of the windows, which began at `starts`, unless `exceeded` returns one of them for their
    /// earlier counts. Returns the earlier counts and the result of `exceeded`.
    pub(super) fn count(
        &self,
        client: IpAddr,
        starts: &[i64],
        exceeded: impl FnOnce(&[u64]) -> Option<usize>,
    ) -> (Vec<u64>, Option<usize>) {
        // A panic while the lock was held leaves counts at most one too low.
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let windows = map.windows_of(client, starts.len());
        for (window, start) in windows.iter_mut().zip(starts) {
            if window.start != *start {
                *window = Window { start: *start, used: 0 };
            }
        }
        let used: Vec<u64> = windows.iter().map(|window| window.used).collect();
        let exceeded = exceeded(&used);
        if exceeded.is_none() {
            for window in windows {
                window.used = window.used.saturating_add(1);
            }
        }
        (used, exceeded)
    }
}

impl TwoGenerationMap {
    fn windows_of(&mut self, client: IpAddr, windows: usize) -> &mut Vec<Window> {
        if !self.current.contains_key(&client) && self.current.len() >= GENERATION {
            self.previous = std::mem::take(&mut self.current);
        }
        let previous = &mut self.previous;
        self.current
            .entry(client)
            .or_insert_with(|| previous.remove(&client).unwrap_or_else(|| vec![Window::default(); windows]))
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
    fn map_is_bounded_and_keeps_active_clients() {
        let counters = Counters::default();
        for client in 0..100_000 {
            used(&counters, client);
            assert_eq!(used(&counters, u32::MAX), u64::from(client), "active client");
        }
        let map = counters.0.lock().unwrap();
        assert!(map.current.len() <= GENERATION);
        assert!(map.previous.len() <= GENERATION);
    }
}
