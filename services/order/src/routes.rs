//! HTTP endpoints.

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::AppState;

mod abandon_order;
mod audit_orders;
mod cancel_order;
mod cart_response;
mod claim_cart;
mod create_cart;
mod create_order;
mod delete_cart;
mod get_cart;
mod get_my_cart;
mod get_order;
mod get_order_by_number;
mod get_timeline;
mod list_order_payments;
mod list_orders;
mod order_summary;
mod pay_order;
mod request;
mod response;
mod set_cart_item;
mod update_order;

/// Returns the router of the service's own endpoints.
pub(crate) fn router(state: AppState) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(create_order::create_order, list_orders::list_orders))
        .routes(routes!(order_summary::order_summary))
        .routes(routes!(get_order_by_number::get_order_by_number))
        .routes(routes!(get_order::get_order, update_order::update_order))
        .routes(routes!(cancel_order::cancel_order))
        .routes(routes!(pay_order::pay_order, list_order_payments::list_order_payments))
        .routes(routes!(get_timeline::get_timeline))
        .routes(routes!(create_cart::create_cart))
        .routes(routes!(get_my_cart::get_my_cart))
        .routes(routes!(get_cart::get_cart, delete_cart::delete_cart))
        .routes(routes!(set_cart_item::set_cart_item))
        .routes(routes!(claim_cart::claim_cart))
        .routes(routes!(abandon_order::abandon_order))
        .routes(routes!(audit_orders::audit_orders))
        .with_state(state)
}
