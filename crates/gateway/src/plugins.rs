//! Plugins in Kong's order: cors (2000), request-size-limiting (951), rate-limiting (910), request-transformer (801),
//! prometheus (13), correlation-id (1).

pub(crate) mod correlation_id;
pub(crate) mod cors;
pub(crate) mod prometheus;
pub(crate) mod rate_limiting;
pub(crate) mod request_transformer;
pub(crate) mod size_limiting;

use std::sync::Arc;

use correlation_id::CorrelationId;
use cors::Cors;
use prometheus::Prometheus;
use rate_limiting::RateLimiting;
use request_transformer::RequestTransformer;
use size_limiting::SizeLimiting;

/// Set of plugins of one level or of a request, at most one of each kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct PluginSet {
    pub(crate) cors: Option<Arc<Cors>>,
    pub(crate) size_limiting: Option<Arc<SizeLimiting>>,
    pub(crate) rate_limiting: Option<Arc<RateLimiting>>,
    pub(crate) request_transformer: Option<Arc<RequestTransformer>>,
    pub(crate) prometheus: Option<Arc<Prometheus>>,
    pub(crate) correlation_id: Option<Arc<CorrelationId>>,
}

impl PluginSet {
    /// Returns these plugins and those of `outer` that are not among them: a plugin of a route takes precedence over the
    /// service's, and the service's over the global one.
    pub(crate) fn merged_over(&self, outer: &Self) -> Self {
        fn first<T>(inner: Option<&Arc<T>>, outer: Option<&Arc<T>>) -> Option<Arc<T>> {
            inner.or(outer).cloned()
        }
        Self {
            cors: first(self.cors.as_ref(), outer.cors.as_ref()),
            size_limiting: first(self.size_limiting.as_ref(), outer.size_limiting.as_ref()),
            rate_limiting: first(self.rate_limiting.as_ref(), outer.rate_limiting.as_ref()),
            request_transformer: first(self.request_transformer.as_ref(), outer.request_transformer.as_ref()),
            prometheus: first(self.prometheus.as_ref(), outer.prometheus.as_ref()),
            correlation_id: first(self.correlation_id.as_ref(), outer.correlation_id.as_ref()),
        }
    }
}
