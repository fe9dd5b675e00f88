//! Loads of keys that are under way.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

pub(super) type Loads = Arc<Mutex<HashMap<String, Arc<Flight>>>>;

/// The loads of one key that somebody runs or waits for.
#[derive(Default)]
pub(super) struct Flight {
    pub(super) one_at_a_time: Arc<tokio::sync::Mutex<()>>,
    /// Set once a load left nothing for the others: they then load at the same time. Else, while the store is away,
    /// each would wait for the time-outs of all before it.
    pub(super) apart: AtomicBool,
}

/// A place in the queue of those that want to load a key; given up when it is dropped, also by a caller that goes away.
pub(super) struct Turn {
    loads: Loads,
    pub(super) key: String,
    pub(super) flight: Arc<Flight>,
}

impl Turn {
    pub(super) fn take(loads: &Loads, key: &str) -> Self {
        let mut open = loads.lock().unwrap_or_else(PoisonError::into_inner);
        let flight = open.entry(key.to_owned()).or_default().clone();
        Self { loads: loads.clone(), key: key.to_owned(), flight }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut open = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
        // The map and this one hold it: nobody else waits.
        if Arc::strong_count(&self.flight) <= 2 {
            open.remove(&self.key);
        }
    }
}
