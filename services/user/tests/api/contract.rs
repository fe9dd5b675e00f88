//! Rules of every call, checked on all operations of the OpenAPI document.

use testkit::openapi;

use crate::support::TestApi;

pub(crate) async fn single_line_fields_reject_line_breaks_and_invisible_characters(api: TestApi) {
    let checked =
        openapi::check_text_fields(api.http(), api.url(), &api.admin().await.token, &[], &["/api/auth/login"]).await;
    for field in ["POST /api/auth/register firstName", "PUT /api/users/{id} address.street"] {
        assert!(checked.iter().any(|one| one == field), "{field} was not checked: {checked:?}");
    }
}

pub(crate) async fn responses_match_their_documentation(api: TestApi) {
    openapi::check_responses(api.http(), api.url(), &api.admin().await.token, &["/api/auth/token"]).await;
}
