//! The endpoints, one file each.

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, StatusCode};
use axum::middleware;
use axum::routing::{get, post, put};
use tower_http::cors::{AllowHeaders, Any, CorsLayer};
use tower_http::timeout::TimeoutLayer;

use crate::http::answer::ApiError;
use crate::http::{misbehave, trace};
use crate::sandbox::App;

mod behaviour;
mod cancel_payment_intent;
mod confirm_payment_intent;
mod create_payment_intent;
mod create_refund;
mod get_payment_intent;
mod get_refund;
mod health;
mod list_events;
mod list_payment_intents;
mod list_refunds;
mod three_d_secure;

/// Time in which a request is received and answered.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// All endpoints.
pub(crate) fn router(app: App) -> Router {
    Router::new()
        .route("/v1/payment_intents", post(create_payment_intent::handle).get(list_payment_intents::handle))
        .route("/v1/payment_intents/{id}", get(get_payment_intent::handle))
        .route("/v1/payment_intents/{id}/confirm", post(confirm_payment_intent::handle))
        .route("/v1/payment_intents/{id}/cancel", post(cancel_payment_intent::handle))
        .route("/v1/refunds", post(create_refund::handle).get(list_refunds::handle))
        .route("/v1/refunds/{id}", get(get_refund::handle))
        .route("/v1/events", get(list_events::handle))
        // Within the next layer, which goes on when the client does not.
        .route_layer(time_limit())
        // Above: what Stripe has too, and what goes wrong when it is to.
        .route_layer(middleware::from_fn_with_state(app.clone(), misbehave::layer))
        .route("/sandbox/behaviour", put(behaviour::put).get(behaviour::get))
        .route("/sandbox/3ds/{id}", get(three_d_secure::page).post(three_d_secure::complete))
        .route("/health", get(health::handle))
        .fallback(unrecognized)
        .method_not_allowed_fallback(unrecognized)
        .layer(time_limit())
        // Outermost: an id and Stripe's headers are on every answer, refusals and preflights too.
        .layer(cors())
        .layer(middleware::from_fn(trace::layer))
        .with_state(app)
}

/// Ends a request whose body does not arrive.
fn time_limit() -> TimeoutLayer {
    TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_TIMEOUT)
}

/// Any page may call, as at Stripe: what a browser may do hangs on the client secret, not on where it comes from.
fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods(Any)
        // Not `*`, which by the Fetch standard does not include `Authorization`.
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
