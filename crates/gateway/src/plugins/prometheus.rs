//! `prometheus`: which of Kong's metrics are kept. They are read on the status listener.

use crate::config::Fields;

/// The plugin's settings; all off by default, as in Kong.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Prometheus {
    pub(crate) status_codes: bool,
    pub(crate) latency: bool,
    pub(crate) bandwidth: bool,
}

impl Prometheus {
    pub(crate) fn read(mut fields: Fields<'_>) -> Self {
        // There are no consumers and no balanced upstreams in a file that is accepted here, so these two say nothing.
        fields.boolean("per_consumer");
        fields.boolean("upstream_health_metrics");
        let mut metric = |name| fields.boolean(name).unwrap_or(false);
        let plugin = Self {
            status_codes: metric("status_code_metrics"),
            latency: metric("latency_metrics"),
            bandwidth: metric("bandwidth_metrics"),
        };
        fields.finish(&[]);
        plugin
    }
}
