//! `prometheus`: selection of Kong's metrics, which the status listener exposes.

use serde::Deserialize;

use crate::schema::Flag;

/// Settings of the plugin; all metrics are off by default, as in Kong.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "some fields are checked but have no effect")]
pub(crate) struct Prometheus {
    status_code_metrics: Option<Flag>,
    latency_metrics: Option<Flag>,
    bandwidth_metrics: Option<Flag>,
    // A file that is accepted here has neither consumers nor balanced upstreams, so these two have no effect.
    per_consumer: Option<Flag>,
    upstream_health_metrics: Option<Flag>,
}

impl Prometheus {
    pub(crate) fn counts_status_codes(self) -> bool {
        self.status_code_metrics == Some(Flag(true))
    }

    pub(crate) fn measures_latency(self) -> bool {
        self.latency_metrics == Some(Flag(true))
    }

    pub(crate) fn counts_bandwidth(self) -> bool {
        self.bandwidth_metrics == Some(Flag(true))
    }
}
