//! Existing metrics, by exporter.

use std::collections::BTreeSet;

use crate::support::read;

/// Metrics of the services that no dashboard shows.
pub(crate) const NOT_SHOWN: &[&str] = &["db_client_disk_full_total", "process_virtual_memory_bytes"];

/// Histograms of Kong.
const HISTOGRAMS: &[&str] = &["kong_kong_latency_ms", "kong_request_latency_ms"];

/// Metrics of the auditor, Kong 3.4, Prometheus 2.47, the Alertmanager 0.26, RabbitMQ 3.12, and the exporters: blackbox 0.23,
/// PostgreSQL 0.11, Redis 1.45, MongoDB 0.40.
const OTHERS: &[&str] = &[
    "ALERTS",
    "alertmanager_notifications_failed_total",
    "audit_last_success_timestamp_seconds",
    "audit_violations",
    "audits_total",
    "kong_bandwidth_bytes",
    "kong_http_requests_total",
    "mongodb_ss_connections",
    "mongodb_ss_opcounters",
    "mongodb_up",
    "pg_database_size_bytes",
    "pg_locks_count",
    "pg_settings_max_connections",
    "pg_stat_activity_count",
    "pg_stat_database_blks_hit",
    "pg_stat_database_blks_read",
    "pg_stat_database_deadlocks",
    "pg_stat_database_xact_commit",
    "pg_stat_database_xact_rollback",
    "pg_up",
    "probe_http_duration_seconds",
    "probe_ssl_earliest_cert_expiry",
    "probe_success",
    "prometheus_config_last_reload_successful",
    "prometheus_notifications_dropped_total",
    "prometheus_rule_evaluation_failures_total",
    "rabbitmq_alarms_free_disk_space_watermark",
    "rabbitmq_alarms_memory_used_watermark",
    "rabbitmq_channels",
    "rabbitmq_connections",
    "rabbitmq_detailed_queue_consumers",
    "rabbitmq_detailed_queue_messages",
    "rabbitmq_detailed_queue_messages_ready",
    "rabbitmq_detailed_queue_messages_unacked",
    "rabbitmq_disk_space_available_bytes",
    "rabbitmq_disk_space_available_limit_bytes",
    "rabbitmq_global_messages_confirmed_total",
    "rabbitmq_global_messages_delivered_total",
    "rabbitmq_global_messages_received_total",
    "rabbitmq_process_resident_memory_bytes",
    "rabbitmq_resident_memory_limit_bytes",
    "redis_commands_total",
    "redis_connected_clients",
    "redis_evicted_keys_total",
    "redis_expired_keys_total",
    "redis_memory_max_bytes",
    "redis_memory_used_bytes",
    "redis_up",
    "up",
];

/// Suffixes of a histogram.
fn parts(name: &str) -> impl Iterator<Item = String> {
    ["bucket", "sum", "count"].map(|part| format!("{name}_{part}")).into_iter()
}

/// Returns the documented metrics of the services.
fn services() -> BTreeSet<String> {
    let page = read("docs/telemetry.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let mut metrics = BTreeSet::new();
    for (name, rest) in rows {
        match rest.split(' ').next().unwrap() {
            "histogram" => metrics.extend(parts(name)),
            "counter" | "gauge" => drop(metrics.insert(name.to_owned())),
            _ => {}
        }
    }
    assert!(metrics.len() > 50, "{metrics:?}");
    metrics
}

/// Returns all metrics, including those of recording rules.
pub(crate) fn metrics() -> BTreeSet<String> {
    let plain = OTHERS.iter().map(|name| (*name).to_owned());
    let recorded = super::alerts::rules().into_iter().filter_map(|(_, rule)| Some(rule["record"].as_str()?.to_owned()));
    let histograms = HISTOGRAMS.iter().flat_map(|name| parts(name));
    services().into_iter().chain(plain).chain(histograms).chain(recorded).collect()
}
