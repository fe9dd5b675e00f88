//! Expiry times of database leases.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// Returns the end of a lease.
#[must_use]
pub(super) fn lease_end(now: DateTime<Utc>, lease: Duration) -> DateTime<Utc> {
    now + TimeDelta::from_std(lease).unwrap_or(TimeDelta::MAX)
}
