//! `shopfleet audit --watch`: repeated audits, with changes printed and findings counted in metrics.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use audit::{Finding, Limits, Rule, Verdict};
use axum::Router;
use axum::routing::get;
use common::runtime::Shutdown;
use common::telemetry::clock;
use common::telemetry::metrics::Metrics;
use prometheus::{IntCounterVec, IntGaugeVec};

use crate::CliError;
use crate::admin_client::AdminClient;
use crate::output::print_line;
use crate::server::bind;

/// Violations by rule and subject.
type Violations = BTreeMap<(Rule, String), Finding>;

/// Audits until the process shuts down.
///
/// # Errors
/// If the port of the metrics cannot be bound.
pub(super) async fn run(
    client: &AdminClient,
    limits: Limits,
    interval: Duration,
    server: Option<(IpAddr, u16)>,
) -> Result<(), CliError> {
    let (metrics, shutdown) = (Metrics::new(), Shutdown::on_signals());
    if let Some((host, port)) = server {
        serve_metrics(host, port, &metrics, &shutdown).await?;
    }
    let audit_metrics = AuditMetrics::new(&metrics);
    let mut known = Violations::new();
    loop {
        let verdict = tokio::select! {
            verdict = audit::audit(client, limits) => verdict,
            () = shutdown.soft() => return Ok(()),
        };
        match verdict {
            Ok(verdict) => {
                let found = violations(&verdict);
                print_changes(&known, &found);
                audit_metrics.record(&found);
                known = found;
            }
            Err(error) => {
                print_line(format_args!("audit failed: {error}"));
                audit_metrics.audits.with_label_values(&["failed"]).inc();
            }
        }
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            () = shutdown.soft() => return Ok(()),
        }
    }
}

async fn serve_metrics(host: IpAddr, port: u16, metrics: &Metrics, shutdown: &Shutdown) -> Result<(), CliError> {
    let listener = bind(host, port, "--metrics-port").await?;
    if let Ok(address) = listener.local_addr() {
        print_line(format_args!("metrics at http://{address}/metrics"));
    }
    let (metrics, stop) = (metrics.clone(), shutdown.clone());
    let app = Router::new().route("/metrics", get(async move || metrics.render()));
    let stopped = async move { stop.soft().await };
    tokio::spawn(http_server::serve_router(listener, app, http_server::Limits::default(), stopped));
    Ok(())
}

struct AuditMetrics {
    violations: IntGaugeVec,
    audits: IntCounterVec,
    last_success: IntGaugeVec,
}

impl AuditMetrics {
    fn new(metrics: &Metrics) -> Self {
        let last = "Unix time of the last audit that read all its rows.";
        Self {
            violations: metrics.gauge_vec("audit_violations", "Violated invariants, by rule.", &["rule"]),
            audits: metrics.counter_vec("audits_total", "Audits, by outcome.", &["outcome"]),
            last_success: metrics.gauge_vec("audit_last_success_timestamp_seconds", last, &[]),
        }
    }

    fn record(&self, found: &Violations) {
        for rule in Rule::ALL {
            let count = found.values().filter(|finding| finding.rule == *rule).count();
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.violations.with_label_values(&[rule.as_str()]).set(count);
        }
        let outcome = if found.is_empty() { "holds" } else { "violations" };
        self.audits.with_label_values(&[outcome]).inc();
        self.last_success.with_label_values::<&str>(&[]).set(clock::system().now().timestamp());
    }
}

fn violations(verdict: &Verdict) -> Violations {
    let key = |finding: &Finding| (finding.rule, finding.about.clone());
    verdict.violations.iter().map(|finding| (key(finding), finding.clone())).collect()
}

fn print_changes(known: &Violations, found: &Violations) {
    for (_, violation) in found.iter().filter(|(key, _)| !known.contains_key(*key)) {
        print_line(format_args!("VIOLATION {violation}"));
    }
    for (_, resolved) in known.iter().filter(|(key, _)| !found.contains_key(*key)) {
        print_line(format_args!("resolved {resolved}"));
    }
}
