//! The idempotency keys whose requests are being carried out.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// A set of keys, shared by all requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct InFlight(Arc<Mutex<HashSet<String>>>);

/// Holds one key until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    keys: InFlight,
    key: String,
}

impl InFlight {
    /// Takes `key`, or nothing where another request holds it.
    pub(crate) fn hold(&self, key: &str) -> Option<Held> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.insert(key.to_owned()).then(|| Held { keys: self.clone(), key: key.to_owned() })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut keys = self.keys.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_held_once_until_it_is_dropped() {
        let keys = InFlight::default();
        let held = keys.hold("a").unwrap();
        assert!(keys.hold("a").is_none());
        assert!(keys.hold("b").is_some());
        drop(held);
        assert!(keys.hold("a").is_some());
    }
}
