//! Rules that hold for every operation of the OpenAPI document

use testkit::openapi;

use crate::support::TestApp;

#[tokio::test]
async fn single_line_fields_reject_line_breaks_and_invisible_characters() {
    let app = TestApp::start().await;
    let tried = openapi::check_text_fields(app.client(), app.url(), &app.admin(), &["notes", "staff_notes"], &[]).await;
    for field in ["POST /api/orders customer_info.first_name", "PATCH /api/orders/{id} shipping_address.street"] {
        assert!(tried.iter().any(|one| one == field), "{field} was not tested: {tried:?}");
    }
}

#[tokio::test]
async fn responses_and_documentation_have_the_common_form() {
    let app = TestApp::start().await;
    openapi::check_responses(app.client(), app.url(), &app.admin(), &[]).await;
}

#[tokio::test]
async fn metadata_is_bounded_valid_and_finite() {
    let app = TestApp::start().await;
    let mut tried = openapi::check_free_json(app.client(), app.url(), &app.admin()).await;
    tried.sort_unstable();
    assert_eq!(tried, ["PATCH /api/orders/{id}", "POST /api/orders", "PUT /api/orders/{id}"]);
}
