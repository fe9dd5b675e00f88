//! Idempotency keys of the requests in flight.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Set of keys, shared by all requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct InFlightKeys(Arc<Mutex<HashSet<String>>>);

/// Guard of one key, which is released when the guard is dropped.
#[derive(Debug)]
pub(crate) struct KeyGuard {
    keys: InFlightKeys,
    key: String,
}

impl InFlightKeys {
    /// Acquires a key; returns `None` if another request holds it.
    pub(crate) fn try_acquire(&self, key: &str) -> Option<KeyGuard> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.insert(key.to_owned()).then(|| KeyGuard { keys: self.clone(), key: key.to_owned() })
    }
}

impl Drop for KeyGuard {
    fn drop(&mut self) {
        let mut keys = self.keys.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_exclusive_until_its_guard_is_dropped() {
        let keys = InFlightKeys::default();
        let guard = keys.try_acquire("a").unwrap();
        assert!(keys.try_acquire("a").is_none());
        assert!(keys.try_acquire("b").is_some());
        drop(guard);
        assert!(keys.try_acquire("a").is_some());
    }
}
