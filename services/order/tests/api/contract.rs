//! Rules that hold for every call: each is tried on all that the OpenAPI document names.

use testkit::openapi;

use crate::support::Shop;

#[tokio::test]
async fn single_line_fields_reject_line_breaks_and_invisible_characters() {
    let shop = Shop::start().await;
    let tried = openapi::check_text_fields(shop.client(), shop.url(), &shop.admin(), &["notes"], &[]).await;
    for field in ["POST /api/orders customer_info.first_name", "PATCH /api/orders/{id} shipping_address.street"] {
        assert!(tried.iter().any(|one| one == field), "{field} was not tried: {tried:?}");
    }
}

#[tokio::test]
async fn answers_and_their_documentation_have_the_common_form() {
    let shop = Shop::start().await;
    openapi::check_answers(shop.client(), shop.url(), &shop.admin(), &[]).await;
}

#[tokio::test]
async fn metadata_is_bounded_valid_and_finite() {
    let shop = Shop::start().await;
    let mut tried = openapi::check_free_json(shop.client(), shop.url(), &shop.admin()).await;
    tried.sort_unstable();
    assert_eq!(tried, ["PATCH /api/orders/{id}", "POST /api/orders", "PUT /api/orders/{id}"]);
}
