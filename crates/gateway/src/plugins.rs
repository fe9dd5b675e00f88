//! The plugins that are run, in Kong's order: cors (2000), request-size-limiting (951), rate-limiting (910),
//! request-transformer (801), prometheus (13), correlation-id (1).

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

/// At most one of each plugin: those of one level, or those that apply to a request.
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
    /// These plugins, and those of `below` that are not among them: a route's win over a service's, a service's over the
    /// global ones.
    pub(crate) fn over(&self, below: &Self) -> Self {
        fn first<T>(upper: Option<&Arc<T>>, lower: Option<&Arc<T>>) -> Option<Arc<T>> {
            upper.or(lower).cloned()
        }
        Self {
            cors: first(self.cors.as_ref(), below.cors.as_ref()),
            size_limiting: first(self.size_limiting.as_ref(), below.size_limiting.as_ref()),
            rate_limiting: first(self.rate_limiting.as_ref(), below.rate_limiting.as_ref()),
            request_transformer: first(self.request_transformer.as_ref(), below.request_transformer.as_ref()),
            prometheus: first(self.prometheus.as_ref(), below.prometheus.as_ref()),
            correlation_id: first(self.correlation_id.as_ref(), below.correlation_id.as_ref()),
        }
    }
}
