//! Repeated reading until the differences have settled.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::{AuditSnapshot, AuditSource, Finding, Rule, check};

/// Interval between two snapshots while differences are in flight.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Time limits of an audit.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest wait for differences in flight to disappear.
    pub wait: Duration,
    /// Age from which an unchanged difference is a violation.
    pub grace: Duration,
}

/// Result of an audit.
pub struct Verdict {
    /// Last snapshot.
    pub snapshot: AuditSnapshot,
    /// Violations.
    pub violations: Vec<Finding>,
    /// Differences that were still changing when the time was up.
    pub in_flight: Vec<Finding>,
    /// Duration of the audit.
    pub elapsed: Duration,
}

/// Reads snapshots and checks the rules until nothing differs, the differences have not changed for a while, or the time
/// is up.
///
/// # Errors
/// If a read fails.
pub async fn audit<S: AuditSource>(source: &S, limits: Limits) -> Result<Verdict, S::Error> {
    let started = Instant::now();
    let mut first_seen: BTreeMap<Finding, Instant> = BTreeMap::new();
    loop {
        let snapshot = AuditSnapshot::read(source).await?;
        let now = Instant::now();
        let since = |finding: &Finding| match waiting_time(&snapshot, finding) {
            Some(time) => now.checked_sub(time).unwrap_or(started),
            None => *first_seen.get(finding).unwrap_or(&now),
        };
        first_seen = check(&snapshot).into_iter().map(|finding| (finding.clone(), since(&finding))).collect();
        let is_settled = |since: &Instant| now - *since >= limits.grace;
        if first_seen.values().all(is_settled) || started.elapsed() >= limits.wait {
            let (settled, young): (Vec<_>, Vec<_>) = first_seen.into_iter().partition(|(_, since)| is_settled(since));
            let findings = |list: Vec<(Finding, Instant)>| list.into_iter().map(|(finding, _)| finding).collect();
            let (violations, in_flight) = (findings(settled), findings(young));
            return Ok(Verdict { snapshot, violations, in_flight, elapsed: started.elapsed() });
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Returns the waiting time of an outbox's oldest event, if the finding concerns an outbox. That age shows whether the
/// outbox is stuck, while its number of events changes all the time.
fn waiting_time(snapshot: &AuditSnapshot, finding: &Finding) -> Option<Duration> {
    let outbox = snapshot.outboxes.get(&finding.about).filter(|_| finding.rule == Rule::EventsArePublished)?;
    Some(Duration::from_secs(outbox.oldest_seconds))
}
