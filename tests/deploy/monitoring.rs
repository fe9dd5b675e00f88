//! Monitoring files, checked without a running fleet: alerts and their runbooks, dashboards, logs.

mod alerts;
mod dashboards;
mod known;
mod logs;
mod promql;
