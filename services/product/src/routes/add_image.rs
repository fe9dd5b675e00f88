//! `POST /api/products/{id}/images`

use axum::extract::State;
use axum::http::StatusCode;
use common::auth::AdminOnly;
use common::http::{ApiError, Checks, Json, Path};
use contracts::calls::ProductImage;
use contracts::{Problem, ProductId};
use serde::Deserialize;
use url::Url;
use utoipa::ToSchema;

use crate::app::AppState;
use crate::domain::NewImage;

const URL_CHARS: usize = 2048;
const ALT_TEXT_CHARS: usize = 255;

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NewImage)]
pub(super) struct Body {
    /// An `https` address; it is never fetched.
    #[schema(required, max_length = 2048)]
    url: Option<String>,
    #[schema(max_length = 255)]
    alt_text: Option<String>,
    /// Whether it stands for the product from now on.
    #[schema(default = false)]
    primary: Option<bool>,
}

/// Adds a picture to a product. A new primary one takes the place of the former.
#[utoipa::path(
    post,
    path = "/api/products/{id}/images",
    tag = "images",
    security(("bearer" = [])),
    params(("id" = ProductId, Path)),
    request_body = Body,
    responses(
        (status = 201, body = ProductImage),
        (status = 400, description = "VALIDATION_FAILED, MALFORMED_BODY", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN", body = Problem),
        (status = 404, description = "PRODUCT_NOT_FOUND", body = Problem),
    )
)]
pub(super) async fn add_image(
    State(app): State<AppState>,
    _admin: AdminOnly,
    Path(id): Path<ProductId>,
    Json(body): Json<Body>,
) -> Result<(StatusCode, Json<ProductImage>), ApiError> {
    let image = app.shop.add_image(id, &check(body)?).await?;
    Ok((StatusCode::CREATED, Json(image)))
}

fn check(body: Body) -> Result<NewImage, ApiError> {
    let mut checks = Checks::new();
    let url = checks.text("url", body.url, 1..=URL_CHARS);
    if url.as_ref().is_some_and(|url| !is_https(url)) {
        checks.fail("url", "must be an https address");
    }
    let alt_text = checks.optional_text("altText", body.alt_text, ALT_TEXT_CHARS);
    checks.finish(url.map(|url| NewImage { url, alt_text, primary: body.primary.unwrap_or(false) }))
}

fn is_https(text: &str) -> bool {
    // What a reader would mend (white space, a missing slash) is refused: the text is answered as it is.
    let plain = text.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"));
    plain && !text.contains(char::is_whitespace) && text.parse::<Url>().is_ok_and(|url| url.has_host())
}

#[cfg(test)]
mod tests {
    use super::is_https;

    #[test]
    fn only_https_addresses_are_taken() {
        for right in ["https://cdn.example.com/a.png", "HTTPS://example.com", "https://example.com:8443/ä.png?x=1"] {
            assert!(is_https(right), "{right}");
        }
        for wrong in ["http://example.com/a.png", "https:example.com", "https://", "javascript:alert(1)", "/a.png", ""]
        {
            assert!(!is_https(wrong), "{wrong}");
        }
        assert!(!is_https("https://exa mple.com") && !is_https("https://example.com/a\tb"));
    }
}
