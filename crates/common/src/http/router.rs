//! The router of a service, with the layers that every service has.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::get;
use http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH, LOCATION, RETRY_AFTER};
use http::{HeaderValue, Method};
use tower_http::cors::{AllowOrigin, CorsLayer};
use utoipa_axum::router::OpenApiRouter;

use super::limits::guard;
use super::load_shed::{Places, shed};
use super::normalize_path::without_trailing_slash;
use super::ops::faults::strike;
use super::settings::HttpSettings;
use super::telemetry::{Observer, observe};
use super::{Health, OpenApiInfo, health, openapi};
use crate::task::request_context::REQUEST_ID;
use crate::telemetry::metrics::Metrics;

/// How long a browser may keep the answer about an origin.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(3600);

/// A service's routes with all that every service has: the calls about its health, its metrics and its documentation, and
/// the layers.
pub fn finish(router: OpenApiRouter, info: OpenApiInfo, settings: &HttpSettings, health: Health) -> Router {
    let (router, mut api) = router.split_for_parts();
    openapi::complete(&mut api, info, &settings.version);
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
        .merge(openapi::routes(&api))
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
