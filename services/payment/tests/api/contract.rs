//! Rules that hold for every call: each is tried on all that the OpenAPI document names.

use testkit::openapi;

use crate::support::Fleet;

#[tokio::test]
async fn single_line_fields_reject_line_breaks_and_invisible_characters() {
    let fleet = Fleet::start().await;
    let tried = openapi::check_text_fields(&fleet.client, &fleet.url(), &fleet.admin(), &[], &[]).await;
    for field in ["POST /api/payments description", "PUT /api/payments/{id}/confirm provider_transaction_id"] {
        assert!(tried.iter().any(|one| one == field), "{field} was not tried: {tried:?}");
    }
}
