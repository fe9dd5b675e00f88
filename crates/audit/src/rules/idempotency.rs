//! Idempotency: a caller's key creates one order.

use std::collections::{BTreeMap, HashSet};

use chrono::TimeDelta;
use contracts::audit::OrderAudit;

use super::{Report, Rule};
use crate::AuditSnapshot;

/// Retention of an idempotency key.
const KEY_RETENTION: TimeDelta = TimeDelta::hours(24);

pub(super) fn unique_keys(snapshot: &AuditSnapshot, report: &mut Report<'_>) {
    let mut by_key: BTreeMap<(&str, &str), Vec<&OrderAudit>> = BTreeMap::new();
    for order in &snapshot.orders {
        if let Some(key) = order.idempotency_key.as_deref() {
            by_key.entry((order.placed_by.as_str(), key)).or_default().push(order);
        }
    }
    let mut reported = HashSet::new();
    for ((caller, key), mut orders) in by_key {
        orders.sort_by_key(|order| order.created_at);
        for pair in orders.windows(2) {
            let [first, second] = pair else { continue };
            if second.created_at - first.created_at < KEY_RETENTION && reported.insert(second.id) {
                let text = format!("{caller} placed it and order {} with the key `{key}`", first.id);
                report(Rule::KeyMadeOneOrder, format!("order {}", second.id), text);
            }
        }
    }
}
