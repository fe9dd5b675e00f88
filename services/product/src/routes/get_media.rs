//! `GET /media/{name}`

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use common::http::{ApiError, Path};
use contracts::Problem;

use crate::domain::PictureName;
use crate::error::Error;
use crate::state::AppState;

/// Lifetime in caches: the name of a file changes with its content.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// Policy of a file that is opened as a document: it may do nothing.
const POLICY: HeaderValue = HeaderValue::from_static("sandbox; default-src 'none'");

/// Returns an uploaded picture or that of a sample product.
#[utoipa::path(
    get,
    path = "/media/{name}",
    tag = "images",
    params(("name" = String, Path, description = "Digest of the content, with the suffix of its format")),
    responses(
        (status = 200, body = String, content_type = "image/*"),
        (status = 404, description = "IMAGE_NOT_FOUND", body = Problem),
        (status = 503, description = "SERVICE_UNAVAILABLE: the media store", body = Problem),
    )
)]
pub(super) async fn get_media(State(app): State<AppState>, Path(name): Path<String>) -> Result<Response, ApiError> {
    let name = PictureName::parse(&name).ok_or(Error::ImageNotFound)?;
    let file = app.pictures.open(&name).await?;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(name.format().media_type())),
        (CONTENT_LENGTH, HeaderValue::from(file.size)),
        (CACHE_CONTROL, IMMUTABLE),
        (CONTENT_SECURITY_POLICY, POLICY),
    ];
    Ok((headers, Body::from_stream(file.content)).into_response())
}
