//! Responses with a product: visibility, and conditional requests.

use axum::body::Body;
use axum::extract::{FromRequestParts, Request};
use axum::http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use common::http::ApiError;
use common::http::OptionalCaller;

use crate::error::Error;
use crate::service::CachedProduct;
use crate::state::AppState;

/// Returns the product unless the caller has it already. Inactive products are visible to admins only.
///
/// # Errors
/// [`Error::ProductNotFound`].
pub(super) async fn respond(
    app: &AppState,
    product: Option<CachedProduct>,
    request: Request,
) -> Result<Response, ApiError> {
    let product = product.ok_or(Error::ProductNotFound)?;
    let (mut parts, _) = request.into_parts();
    if !product.is_active() {
        let Ok(OptionalCaller(caller)) = OptionalCaller::from_request_parts(&mut parts, app).await;
        if !caller.is_some_and(|caller| caller.is_admin()) {
            return Err(Error::ProductNotFound.into());
        }
    }
    let etag = HeaderValue::from_maybe_shared(product.etag()).map_err(ApiError::internal)?;
    if etag_matches(&parts.headers, &product.etag()) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, etag)]).into_response());
    }
    let headers = [(CONTENT_TYPE, HeaderValue::from_static("application/json")), (ETAG, etag)];
    Ok((headers, Body::from(product.body())).into_response())
}

/// Returns true if the caller has the entity (RFC 9110, section 13.1.2: weak comparison).
fn etag_matches(headers: &HeaderMap, etag: &[u8]) -> bool {
    headers.get_all(IF_NONE_MATCH).iter().any(|value| list_contains(value.as_bytes(), etag))
}

/// Returns true if a list of entity tags contains this one; `*` contains all. An opaque tag may have commas, but no
/// quotes.
fn list_contains(list: &[u8], etag: &[u8]) -> bool {
    if list.trim_ascii() == b"*" {
        return true;
    }
    let mut rest = list;
    while let Some(start) = rest.iter().position(|byte| *byte == b'"') {
        let Some(length) = rest[start + 1..].iter().position(|byte| *byte == b'"') else { return false };
        let end = start + 1 + length;
        if &rest[start..=end] == etag {
            return true;
        }
        rest = &rest[end + 1..];
    }
    false
}

#[cfg(test)]
mod tests {
    use super::list_contains;

    #[test]
    fn list_contains_listed_tags_only() {
        for list in ["*", " * ", "\"a\"", "W/\"a\"", "\"b\", \"a\"", "\"b,c\" ,W/\"a\"", "\"b\",\"a\",\"c\""] {
            assert!(list_contains(list.as_bytes(), b"\"a\""), "{list}");
        }
        for list in ["", "a", "\"b\"", "\"a", "\"b,\"a\"", "\"b\",*", "\"A\""] {
            assert!(!list_contains(list.as_bytes(), b"\"a\""), "{list}");
        }
    }
}
