//! An audit that keeps on: what is new is told, and all of it counted in metrics.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use common::clock;
use common::metrics::Metrics;
use common::service::Shutdown;

use super::rules::{Finding, Rule};
use super::{Limits, judge};
use crate::edge::bind;
use crate::operator::Operator;
use crate::{Failure, say};

/// Audits until it is told to end.
///
/// # Errors
/// If the port for metrics cannot be had.
pub(super) async fn run(
    operator: &Operator,
    limits: Limits,
    interval: Duration,
    server: Option<(IpAddr, u16)>,
) -> Result<(), Failure> {
    let (metrics, shutdown) = (Metrics::new(), Shutdown::on_signals());
    if let Some((host, port)) = server {
        let listener = bind(host, port, "--metrics-port").await?;
        if let Ok(address) = listener.local_addr() {
            say(format_args!("metrics at http://{address}/metrics"));
        }
        let (shown, stop) = (metrics.clone(), shutdown.clone());
        let app = Router::new().route("/metrics", get(async move || shown.render()));
        let stopped = async move { stop.soft().await };
        tokio::spawn(http_server::serve_router(listener, app, http_server::Limits::default(), stopped));
    }
    let violations = metrics.gauge_vec("audit_violations", "Invariants that do not hold, by rule.", &["rule"]);
    let audits = metrics.counter_vec("audits_total", "Audits, by outcome.", &["outcome"]);
    let last = metrics.gauge_vec("audit_last_success_timestamp_seconds", "When an audit last read all it needs.", &[]);
    let mut known: BTreeMap<(Rule, String), Finding> = BTreeMap::new();
    loop {
        let audited = tokio::select! {
            audited = judge(operator, limits) => audited,
            () = shutdown.soft() => return Ok(()),
        };
        match audited {
            Ok(verdict) => {
                for rule in Rule::ALL {
                    let broken = verdict.violations.iter().filter(|finding| finding.rule == *rule).count();
                    let broken = i64::try_from(broken).unwrap_or(i64::MAX);
                    violations.with_label_values(&[rule.as_str()]).set(broken);
                }
                let key = |finding: &Finding| (finding.rule, finding.about.clone());
                let found: BTreeMap<_, _> =
                    verdict.violations.iter().map(|finding| (key(finding), finding.clone())).collect();
                for (_, violation) in found.iter().filter(|(key, _)| !known.contains_key(*key)) {
                    say(format_args!("VIOLATION {violation}"));
                }
                for (_, gone) in known.iter().filter(|(key, _)| !found.contains_key(*key)) {
                    say(format_args!("no longer {gone}"));
                }
                let outcome = if found.is_empty() { "holds" } else { "violations" };
                audits.with_label_values(&[outcome]).inc();
                last.with_label_values::<&str>(&[]).set(clock::system().now().timestamp());
                known = found;
            }
            Err(failure) => {
                say(format_args!("not audited: {failure}"));
                audits.with_label_values(&["failed"]).inc();
            }
        }
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            () = shutdown.soft() => return Ok(()),
        }
    }
}
