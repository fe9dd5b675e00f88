//! How a product is shown: to whom, and only if the caller has not got it already.

use axum::body::Body;
use axum::extract::{FromRequestParts, Request};
use axum::http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use common::auth::OptionalCaller;
use common::http::ApiError;

use crate::app::AppState;
use crate::error::Error;
use crate::shop::Card;

/// The product, or that there is none: one that is not on sale is there for admins only.
pub(super) async fn show(app: &AppState, card: Option<Card>, request: Request) -> Result<Response, ApiError> {
    let card = card.ok_or(Error::ProductNotFound)?;
    let (mut parts, _) = request.into_parts();
    if !card.is_active() {
        let Ok(OptionalCaller(caller)) = OptionalCaller::from_request_parts(&mut parts, app).await;
        if !caller.is_some_and(|caller| caller.is_admin()) {
            return Err(Error::ProductNotFound.into());
        }
    }
    let etag = HeaderValue::from_maybe_shared(card.etag()).map_err(ApiError::internal)?;
    if is_known(&parts.headers, &card.etag()) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, etag)]).into_response());
    }
    let headers = [(CONTENT_TYPE, HeaderValue::from_static("application/json")), (ETAG, etag)];
    Ok((headers, Body::from(card.body())).into_response())
}

/// Whether the caller says that it has it (RFC 9110, section 13.1.2: compared weakly).
fn is_known(headers: &HeaderMap, etag: &[u8]) -> bool {
    headers.get_all(IF_NONE_MATCH).iter().any(|value| names(value.as_bytes(), etag))
}

/// Whether a list of entity tags has this one; `*` has all. An opaque tag may have commas, but no quotes.
fn names(list: &[u8], etag: &[u8]) -> bool {
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
    use super::names;

    #[test]
    fn a_list_of_tags_is_searched() {
        for list in ["*", " * ", "\"a\"", "W/\"a\"", "\"b\", \"a\"", "\"b,c\" ,W/\"a\"", "\"b\",\"a\",\"c\""] {
            assert!(names(list.as_bytes(), b"\"a\""), "{list}");
        }
        for list in ["", "a", "\"b\"", "\"a", "\"b,\"a\"", "\"b\",*", "\"A\""] {
            assert!(!names(list.as_bytes(), b"\"a\""), "{list}");
        }
    }
}
