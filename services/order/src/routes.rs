//! The endpoints.

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;

mod abandon_order;
mod access;
mod cancel_order;
mod create_order;
mod get_order;
mod get_order_by_number;
mod input;
mod list_order_payments;
mod list_orders;
mod pay_order;
mod update_order;
mod view;

/// All endpoints of this service's own.
pub(crate) fn router(state: AppState) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(create_order::create_order, list_orders::list_orders))
        .routes(routes!(get_order_by_number::get_order_by_number))
        .routes(routes!(get_order::get_order, update_order::update_order))
        .routes(routes!(cancel_order::cancel_order))
        .routes(routes!(pay_order::pay_order, list_order_payments::list_order_payments))
        .routes(routes!(abandon_order::abandon_order))
        .with_state(state)
}
