//! Rules that hold for every endpoint in the OpenAPI document.

use testkit::openapi;

use crate::support::Fleet;

#[tokio::test]
async fn single_line_fields_reject_line_breaks_and_invisible_characters() {
    let fleet = Fleet::start().await;
    let checked = openapi::check_text_fields(&fleet.client, &fleet.url(), &fleet.admin(), &[], &[]).await;
    for field in ["POST /api/payments description", "PUT /api/payments/{id}/confirm provider_transaction_id"] {
        assert!(checked.iter().any(|one| one == field), "{field} was not checked: {checked:?}");
    }
}

#[tokio::test]
async fn responses_and_their_documentation_have_the_common_form() {
    let fleet = Fleet::start().await;
    openapi::check_responses(&fleet.client, &fleet.url(), &fleet.admin(), &[]).await;
}

#[tokio::test]
async fn metadata_is_bounded_valid_and_finite() {
    let fleet = Fleet::start().await;
    let mut checked = openapi::check_free_json(&fleet.client, &fleet.url(), &fleet.admin()).await;
    checked.sort_unstable();
    assert_eq!(checked, ["POST /api/payments"]);
}
