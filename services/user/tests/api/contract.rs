//! Rules that hold for every call: each is tried on all that the OpenAPI document names.

use testkit::openapi;

use crate::harness::Shop;

#[tokio::test]
async fn single_line_fields_reject_line_breaks_and_invisible_characters() {
    let Some(shop) = Shop::open().await else { return };
    let tried =
        openapi::check_text_fields(shop.http(), shop.url(), &shop.admin().await.token, &[], &["/api/auth/login"]).await;
    for field in ["POST /api/auth/register firstName", "PUT /api/users/{id} address.street"] {
        assert!(tried.iter().any(|one| one == field), "{field} was not tried: {tried:?}");
    }
}

#[tokio::test]
async fn answers_and_their_documentation_have_the_common_form() {
    let Some(shop) = Shop::open().await else { return };
    openapi::check_answers(shop.http(), shop.url(), &shop.admin().await.token, &["/api/auth/token"]).await;
}
