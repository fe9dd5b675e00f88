use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::get;
use http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH, LOCATION, RETRY_AFTER};
use http::{HeaderValue, Method};
use tokio_util::task::TaskTracker;
use tower_http::cors::{AllowOrigin, CorsLayer};
use utoipa_axum::router::OpenApiRouter;

use super::context::REQUEST_ID;
use super::guard::guard;
use super::observe::{Observer, observe};
use super::ops::faults::strike;
use super::shed::{Places, shed};
use super::slash::without_trailing_slash;
use super::{Health, OpenApiInfo, TrustedProxies, docs, health};
use crate::clock::SharedClock;
use crate::config::PlatformConfig;
use crate::faults::Faults;
use crate::metrics::Metrics;

/// The time that a request may take, unless its caller gives it less.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Requests that are handled at once. Each may hold a body and wait for one of some ten connections to a store, so that
/// the last of so many waits for a small part of a second where the store is well.
const MOST_REQUESTS: usize = 256;
/// How long a browser may keep the answer about an origin.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(3600);

/// How a service serves HTTP. Clones share what is counted.
#[derive(Clone)]
pub struct HttpSettings {
    /// The service's name.
    pub service: &'static str,
    /// Its version.
    pub version: String,
    /// Where requests are counted.
    pub metrics: Metrics,
    /// The time.
    pub clock: SharedClock,
    /// Proxies whose `X-Forwarded-For` counts.
    pub trusted_proxies: TrustedProxies,
    /// Origins that browsers may call from; none if a gateway sees to it.
    pub allowed_origins: Vec<String>,
    /// The time that a request may take.
    pub request_timeout: Duration,
    /// Requests that are handled at once, beside those about health and metrics; more are refused with 503.
    pub most_requests: usize,
    /// What an operator may put in.
    pub faults: Faults,
    /// Handlers that may write: each runs to its end, also when its client has gone away.
    pub in_flight: TaskTracker,
}

impl HttpSettings {
    /// What the configuration says, and defaults for the rest.
    #[must_use]
    pub fn new(config: &PlatformConfig, metrics: Metrics, clock: SharedClock) -> Self {
        Self {
            service: config.service,
            version: config.version.clone(),
            metrics,
            clock,
            trusted_proxies: TrustedProxies::new(config.trusted_proxies.iter().cloned()),
            allowed_origins: config.allowed_origins.clone(),
            request_timeout: REQUEST_TIMEOUT,
            most_requests: MOST_REQUESTS,
            faults: Faults::off(),
            in_flight: TaskTracker::new(),
        }
    }
}

/// A service's routes with all that every service has: the calls about its health, its metrics and its documentation, and
/// the layers.
pub fn finish(router: OpenApiRouter, info: OpenApiInfo, settings: &HttpSettings, health: Health) -> Router {
    let (router, mut api) = router.split_for_parts();
    docs::complete(&mut api, info, &settings.version);
    let metrics = settings.metrics.clone();
    let render = move || std::future::ready(rendered(&metrics));
    let router = if settings.faults.can_be_set() {
        router.layer(from_fn_with_state(settings.faults.clone(), strike))
    } else {
        router
    };
    let mut router = router
        // Only the service's own calls: whoever looks at its health and metrics must get through when it has most to do.
        .layer(from_fn_with_state(Arc::new(Places::new(settings)), shed))
        .merge(health::routes(settings, health))
        .merge(docs::routes(&api))
        .route("/metrics", get(render))
        // Innermost: the body's size, the deadline, panics.
        .layer(from_fn_with_state(settings.in_flight.clone(), guard));
    if !settings.allowed_origins.is_empty() {
        // Around the guard, so that a browser can read its refusals too.
        router = router.layer(cors(&settings.allowed_origins));
    }
    // Outermost of those that know the route: id, trace, log, metric, form of refusals.
    let router = router.layer(from_fn_with_state(Arc::new(Observer::new(settings)), observe));
    // Before anything looks at the path.
    without_trailing_slash(router)
}

fn rendered(metrics: &Metrics) -> impl IntoResponse + use<> {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render())
}

fn cors(origins: &[String]) -> CorsLayer {
    const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
    const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
    let origins = origins.iter().filter_map(|origin| HeaderValue::from_str(origin.trim_end_matches('/')).ok());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.collect::<Vec<_>>()))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE, IF_NONE_MATCH, REQUEST_ID.clone(), IDEMPOTENCY_KEY])
        .expose_headers([ETAG, LOCATION, RETRY_AFTER, REQUEST_ID.clone(), IDEMPOTENCY_REPLAYED])
        .allow_credentials(true)
        .max_age(PREFLIGHT_MAX_AGE)
}
