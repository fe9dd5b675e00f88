//! Router of the API.

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, StatusCode};
use axum::middleware;
use axum::routing::{get, post, put};
use tower_http::cors::{AllowHeaders, Any, CorsLayer};
use tower_http::timeout::TimeoutLayer;

use crate::http::response::ApiError;
use crate::http::{fault_layer, telemetry};
use crate::operations::{
    cancel_payment_intent, confirm_payment_intent, create_payment_intent, create_refund, faults, get_payment_intent,
    get_refund, health, hosted_page, list_events, list_payment_intents, list_refunds, three_d_secure,
};
use crate::state::AppState;

/// Time limit for receiving and handling a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Returns the router of all endpoints.
pub(crate) fn router(app: AppState) -> Router {
    Router::new()
        .route("/v1/payment_intents", post(create_payment_intent::handle).get(list_payment_intents::handle))
        .route("/v1/payment_intents/{id}", get(get_payment_intent::handle))
        .route("/v1/payment_intents/{id}/confirm", post(confirm_payment_intent::handle))
        .route("/v1/payment_intents/{id}/cancel", post(cancel_payment_intent::handle))
        .route("/v1/refunds", post(create_refund::handle).get(list_refunds::handle))
        .route("/v1/refunds/{id}", get(get_refund::handle))
        .route("/v1/events", get(list_events::handle))
        // Inside the next layer, which continues when the client disconnects.
        .route_layer(time_limit())
        // Endpoints above exist at Stripe too; faults are injected into these only.
        .route_layer(middleware::from_fn_with_state(app.clone(), fault_layer::layer))
        .route("/sandbox/behaviour", put(faults::put).get(faults::get))
        .route("/sandbox/3ds/{id}", get(three_d_secure::page).post(three_d_secure::complete))
        .route("/pay/{id}", get(hosted_page::page).post(hosted_page::pay))
        .route("/health", get(health::handle))
        .fallback(unrecognized)
        .method_not_allowed_fallback(unrecognized)
        .layer(time_limit())
        // Outermost, so that every response has a request id and Stripe's headers, including errors and preflights.
        .layer(cors())
        .layer(middleware::from_fn(telemetry::layer))
        .with_state(app)
}

/// Cancels a request whose body does not arrive.
fn time_limit() -> TimeoutLayer {
    TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_TIMEOUT)
}

/// Allows any origin, as at Stripe: a browser is authorized by the client secret, not by its origin.
fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods(Any)
        // `*` does not include `Authorization` by the Fetch standard.
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([HeaderName::from_static("request-id"), HeaderName::from_static("idempotent-replayed")])
}

async fn unrecognized(request: Request) -> ApiError {
    ApiError::invalid(format!(
        "Unrecognized request URL ({}: {}). Please see https://stripe.com/docs or we can help at \
         https://support.stripe.com/.",
        request.method(),
        request.uri().path()
    ))
    .status(StatusCode::NOT_FOUND)
}
