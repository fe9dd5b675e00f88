//! Rules of all endpoints, checked on every operation of the OpenAPI document.

use testkit::openapi;

use crate::support::TestService;

#[tokio::test]
async fn single_line_fields_reject_line_breaks_and_invisible_characters() {
    let service = TestService::open().await;
    let checked = openapi::check_text_fields(
        &service.running.client,
        &service.running.url,
        &service.admin(),
        &["description", "comment"],
        &[],
    )
    .await;
    for field in ["POST /api/products sku", "PATCH /api/products/{id} name", "POST /api/products/{id}/reviews title"] {
        assert!(checked.iter().any(|one| one == field), "{field} was not checked: {checked:?}");
    }
}

#[tokio::test]
async fn responses_and_their_documentation_have_the_common_form() {
    let service = TestService::open().await;
    // The health of the original service is not a problem document when it is down.
    let own_errors = ["/actuator/health"];
    openapi::check_responses(&service.running.client, &service.running.url, &service.admin(), &own_errors).await;
}
