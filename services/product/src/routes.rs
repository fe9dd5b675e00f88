//! HTTP endpoints, one file each.

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::AppState;

mod actuator_health;
mod actuator_info;
mod actuator_prometheus;
mod add_image;
mod adjust_stock;
mod audit_products;
mod brands;
mod categories;
mod check_stock;
mod conditional_get;
mod create_product;
mod create_reservation;
mod create_review;
mod delete_image;
mod delete_product;
mod delete_review;
mod get_media;
mod get_product;
mod get_product_by_sku;
mod get_products_batch;
mod get_reservation;
mod image_upload;
mod latest_products;
mod list_adjustments;
mod list_all_reviews;
mod list_own_reviews;
mod list_products;
mod list_reviews;
mod pagination;
mod product_facets;
mod product_filter;
mod release_reservation;
mod request;
mod top_rated_products;
mod update_image;
mod update_product;

/// Returns the router of this service's own endpoints.
pub(crate) fn router(state: AppState) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_products::list_products))
        .routes(routes!(create_product::create_product))
        .routes(routes!(get_products_batch::get_products_batch))
        .routes(routes!(product_facets::product_facets))
        .routes(routes!(categories::categories))
        .routes(routes!(brands::brands))
        .routes(routes!(latest_products::latest_products))
        .routes(routes!(top_rated_products::top_rated_products))
        .routes(routes!(get_product_by_sku::get_product_by_sku))
        .routes(routes!(get_product::get_product))
        .routes(routes!(update_product::update_product))
        .routes(routes!(delete_product::delete_product))
        .routes(routes!(check_stock::check_stock))
        .routes(routes!(adjust_stock::adjust_stock))
        .routes(routes!(list_adjustments::list_adjustments))
        .routes(routes!(create_reservation::create_reservation))
        .routes(routes!(get_reservation::get_reservation))
        .routes(routes!(release_reservation::release_reservation))
        .routes(routes!(add_image::add_image))
        .routes(routes!(update_image::update_image, delete_image::delete_image))
        .routes(routes!(get_media::get_media))
        .routes(routes!(list_reviews::list_reviews))
        .routes(routes!(create_review::create_review))
        .routes(routes!(delete_review::delete_review))
        .routes(routes!(list_all_reviews::list_all_reviews))
        .routes(routes!(list_own_reviews::list_own_reviews))
        .routes(routes!(audit_products::audit_products))
        .routes(routes!(actuator_health::health))
        .routes(routes!(actuator_info::info))
        .routes(routes!(actuator_prometheus::prometheus))
        .with_state(state)
}
