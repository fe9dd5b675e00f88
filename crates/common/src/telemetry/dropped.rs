//! Dropped spans, counted by service and logged at most once a minute.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Minimum time between two warnings.
const WARN_EVERY: Duration = Duration::from_secs(60);

static DROPPED: Mutex<Option<Dropped>> = Mutex::new(None);

#[derive(Default)]
struct Dropped {
    by_service: HashMap<String, u64>,
    untold: u64,
    told_at: Option<Instant>,
}

/// Returns the number of dropped spans of a service in this process.
#[must_use]
pub fn spans_dropped(service: &str) -> u64 {
    let dropped = DROPPED.lock().unwrap_or_else(PoisonError::into_inner);
    dropped.as_ref().and_then(|dropped| dropped.by_service.get(service)).copied().unwrap_or_default()
}

/// Counts dropped spans.
pub(super) fn count(service: &str, spans: u64, why: &str) {
    let to_report = {
        let mut dropped = DROPPED.lock().unwrap_or_else(PoisonError::into_inner);
        let dropped = dropped.get_or_insert_default();
        *dropped.by_service.entry(service.to_owned()).or_default() += spans;
        dropped.untold += spans;
        let due = dropped.told_at.is_none_or(|at| at.elapsed() >= WARN_EVERY);
        due.then(|| {
            dropped.told_at = Some(Instant::now());
            std::mem::take(&mut dropped.untold)
        })
    };
    if let Some(spans) = to_report {
        tracing::warn!(spans, why, "spans dropped");
    }
}
