//! Loads in progress, by key.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

pub(super) type InFlightLoads = Arc<Mutex<HashMap<String, Arc<InFlightLoad>>>>;

/// Load of one key, with the callers that wait for it.
#[derive(Default)]
pub(super) struct InFlightLoad {
    pub(super) one_at_a_time: Arc<tokio::sync::Mutex<()>>,
    /// Set once a load produced no entry. The waiting callers then load concurrently: while the store is unavailable,
    /// each would otherwise wait for the timeouts of all before it.
    pub(super) concurrent: AtomicBool,
}

/// Position in the queue of callers that load a key. Dropping it, also by cancellation, leaves the queue.
pub(super) struct LoadGuard {
    loads: InFlightLoads,
    pub(super) key: String,
    pub(super) load: Arc<InFlightLoad>,
}

impl LoadGuard {
    pub(super) fn take(loads: &InFlightLoads, key: &str) -> Self {
        let mut open = loads.lock().unwrap_or_else(PoisonError::into_inner);
        let load = open.entry(key.to_owned()).or_default().clone();
        Self { loads: loads.clone(), key: key.to_owned(), load }
    }
}

impl Drop for LoadGuard {
    fn drop(&mut self) {
        let mut open = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
        // The map and this guard hold the load, so no other caller waits.
        if Arc::strong_count(&self.load) <= 2 {
            open.remove(&self.key);
        }
    }
}
