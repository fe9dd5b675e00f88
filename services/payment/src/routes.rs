//! HTTP endpoints of the payment service.

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::AppState;

mod audit_payments;
mod confirm_payment;
mod create_payment;
mod get_payment;
mod list_order_payments;
mod list_payments;
mod list_refunds;
mod payment_config;
mod payment_summary;
mod refund_payment;
mod request;
mod response;
mod retry_refund;
mod settle_refund;
mod stripe_webhook;

/// Returns the router of all endpoints.
pub(crate) fn router(state: AppState) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(create_payment::create_payment))
        .routes(routes!(list_payments::list_payments))
        .routes(routes!(payment_config::payment_config))
        .routes(routes!(payment_summary::payment_summary))
        .routes(routes!(list_refunds::list_refunds))
        .routes(routes!(get_payment::get_payment))
        .routes(routes!(list_order_payments::list_order_payments))
        .routes(routes!(confirm_payment::confirm_payment))
        .routes(routes!(refund_payment::refund_payment))
        .routes(routes!(retry_refund::retry_refund))
        .routes(routes!(settle_refund::settle_refund))
        .routes(routes!(stripe_webhook::stripe_webhook))
        .routes(routes!(audit_payments::audit_payments))
        .with_state(state)
}
