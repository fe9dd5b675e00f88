//! Rules that hold for every call: each is tried on all that the OpenAPI document names.

use testkit::openapi;

use crate::support::Shop;

#[tokio::test]
async fn single_line_fields_reject_line_breaks_and_invisible_characters() {
    let shop = Shop::open().await;
    let tried = openapi::check_text_fields(
        &shop.service.client,
        &shop.service.url,
        &shop.admin(),
        &["description", "comment"],
        &[],
    )
    .await;
    for field in ["POST /api/products sku", "PATCH /api/products/{id} name", "POST /api/products/{id}/reviews title"] {
        assert!(tried.iter().any(|one| one == field), "{field} was not tried: {tried:?}");
    }
}

#[tokio::test]
async fn answers_and_their_documentation_have_the_common_form() {
    let shop = Shop::open().await;
    // The older service's health is not a problem when it is down.
    let own_errors = ["/actuator/health"];
    openapi::check_answers(&shop.service.client, &shop.service.url, &shop.admin(), &own_errors).await;
}
