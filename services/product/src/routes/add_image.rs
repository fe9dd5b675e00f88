//! `POST /api/products/{id}/images`

use axum::extract::{FromRequest as _, Request, State};
use axum::http::StatusCode;
use common::http::AdminOnly;
use common::http::{ApiError, Json, Path, Validator};
use contracts::api::ProductImage;
use contracts::{Problem, ProductId};
use serde::Deserialize;
use url::Url;
use utoipa::ToSchema;

use super::image_upload::{self, ImageUploadForm};
use crate::domain::NewImage;
use crate::state::AppState;

const MAX_URL_CHARS: usize = 2048;
/// Maximum length of an alternative text, in characters.
pub(super) const MAX_ALT_TEXT_CHARS: usize = 255;

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NewImage)]
pub(super) struct AddImageRequest {
    /// Address with the scheme `https`; it is never fetched.
    #[schema(required, max_length = 2048)]
    url: Option<String>,
    #[schema(max_length = 255)]
    alt_text: Option<String>,
    /// Replacement of the product's current primary picture.
    #[schema(default = false)]
    primary: Option<bool>,
}

/// Adds a picture to a product: an address, or a file. A new primary picture replaces the previous one. Metadata is
/// removed from a file, except the orientation.
#[utoipa::path(
    post,
    path = "/api/products/{id}/images",
    tag = "images",
    security(("bearer" = [])),
    params(("id" = ProductId, Path)),
    request_body(content((AddImageRequest = "application/json"), (ImageUploadForm = "multipart/form-data"))),
    responses(
        (status = 201, body = ProductImage),
        (status = 400, description = "VALIDATION_FAILED, MALFORMED_BODY", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN", body = Problem),
        (status = 404, description = "PRODUCT_NOT_FOUND", body = Problem),
        (status = 413, description = "PAYLOAD_TOO_LARGE", body = Problem),
        (status = 415, description = "UNSUPPORTED_MEDIA_TYPE: no JPEG, PNG or WebP file", body = Problem),
        (status = 503, description = "SERVICE_UNAVAILABLE: the media store", body = Problem),
    )
)]
pub(super) async fn add_image(
    State(app): State<AppState>,
    _admin: AdminOnly,
    Path(id): Path<ProductId>,
    request: Request,
) -> Result<(StatusCode, Json<ProductImage>), ApiError> {
    let image = if image_upload::is_form(request.headers()) {
        let _place = app.pictures.place().await?;
        app.pictures.add(id, image_upload::read(request).await?).await?
    } else {
        let Json(body) = Json::<AddImageRequest>::from_request(request, &app).await?;
        app.catalog.add_image(id, &validate(body)?).await?
    };
    Ok((StatusCode::CREATED, Json(image)))
}

fn validate(body: AddImageRequest) -> Result<NewImage, ApiError> {
    let mut checks = Validator::new();
    let url = checks.text("url", body.url, 1..=MAX_URL_CHARS);
    if url.as_ref().is_some_and(|url| !is_https(url)) {
        checks.fail("url", "must be an https address");
    }
    let alt_text = checks.optional_text("altText", body.alt_text, MAX_ALT_TEXT_CHARS);
    checks.finish(url.map(|url| NewImage { url, alt_text, primary: body.primary.unwrap_or(false) }))
}

fn is_https(text: &str) -> bool {
    // The text is stored and returned unchanged, so anything that `Url` would repair (white space, a missing slash) is
    // rejected.
    let has_scheme = text.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"));
    has_scheme && !text.contains(char::is_whitespace) && text.parse::<Url>().is_ok_and(|url| url.has_host())
}

#[cfg(test)]
mod tests {
    use super::is_https;

    #[test]
    fn only_https_addresses_are_valid() {
        for valid in ["https://cdn.example.com/a.png", "HTTPS://example.com", "https://example.com:8443/ä.png?x=1"] {
            assert!(is_https(valid), "{valid}");
        }
        for invalid in
            ["http://example.com/a.png", "https:example.com", "https://", "javascript:alert(1)", "/a.png", ""]
        {
            assert!(!is_https(invalid), "{invalid}");
        }
        assert!(!is_https("https://exa mple.com") && !is_https("https://example.com/a\tb"));
    }
}
