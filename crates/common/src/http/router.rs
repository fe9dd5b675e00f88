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

use super::limits::request_limits;
use super::load_shed::{ConcurrencyLimit, load_shed};
use super::normalize_path::normalize_path;
use super::ops::faults::inject;
use super::settings::HttpSettings;
use super::telemetry::{RequestTelemetry, request_telemetry};
use super::{Health, OpenApiInfo, health, openapi};
use crate::task::request_context::REQUEST_ID;
use crate::telemetry::metrics::Metrics;

/// Maximum time that a browser caches a preflight response.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(3600);

/// Adds the endpoints for health, metrics and documentation, and the layers that all services share.
pub fn with_platform_layers(
    router: OpenApiRouter,
    info: OpenApiInfo,
    settings: &HttpSettings,
    health: Health,
) -> Router {
    let (router, mut api) = router.split_for_parts();
    openapi::complete(&mut api, info, &settings.version);
    let metrics = settings.metrics.clone();
    let render = move || std::future::ready(rendered(&metrics));
    let router = if settings.faults.can_be_set() {
        router.layer(from_fn_with_state(settings.faults.clone(), inject))
    } else {
        router
    };
    let mut router = router
        // Applies to the service's own endpoints only: health and metrics must be reachable under load.
        .layer(from_fn_with_state(Arc::new(ConcurrencyLimit::new(settings)), load_shed))
        .merge(health::routes(settings, health))
        .merge(openapi::routes(&api))
        .route("/metrics", get(render))
        // Outside load shedding and faults, inside telemetry: body size, deadline, panics.
        .layer(from_fn_with_state((settings.in_flight.clone(), settings.uploads), request_limits));
    if !settings.allowed_origins.is_empty() {
        // Outside the limits, so that browsers can read their errors as well.
        router = router.layer(cors(&settings.allowed_origins));
    }
    // Outermost layer that knows the route: id, trace, log, metric, problem responses.
    let router = router.layer(from_fn_with_state(Arc::new(RequestTelemetry::new(settings)), request_telemetry));
    // Before any layer reads the path.
    normalize_path(router)
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
