//! Extractor of path parameters.

use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::http::ApiError;
use crate::http::text::{self, TextKind};

/// Parameters of a path; invalid ones are rejected with 400.
#[derive(Clone, Copy, Debug, Default)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        if let Ok(params) = RawPathParams::from_request_parts(parts, state).await
            && let Some((name, rule)) = params
                .iter()
                .find_map(|(name, value)| text::check(value, TextKind::SingleLine).err().map(|rule| (name, rule)))
        {
            return Err(ApiError::invalid_field(name, rule.to_owned()));
        }
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(PathRejection::FailedToDeserializePathParams(failure)) => {
                let kind = failure.into_kind();
                Err(explain(parts, state, kind).await)
            }
            Err(fault) => Err(ApiError::internal(fault)),
        }
    }
}

async fn explain<S: Send + Sync>(parts: &mut Parts, state: &S, kind: ErrorKind) -> ApiError {
    match kind {
        ErrorKind::ParseErrorAtKey { key, expected_type, .. } => ApiError::invalid_field(key, rule(expected_type)),
        ErrorKind::ParseErrorAtIndex { index, expected_type, .. } => {
            ApiError::invalid_field(name(parts, state, index).await, rule(expected_type))
        }
        ErrorKind::ParseError { expected_type, .. } => {
            ApiError::invalid_field(name(parts, state, 0).await, rule(expected_type))
        }
        ErrorKind::InvalidUtf8InPathParam { key } => ApiError::invalid_field(key, "must be valid UTF-8".to_owned()),
        ErrorKind::DeserializeError { key, message, .. } => ApiError::invalid_field(key, custom(&message)),
        ErrorKind::Message(message) => ApiError::invalid_field(name(parts, state, 0).await, custom(&message)),
        fault => ApiError::internal(format!("path parameters not readable: {fault}")),
    }
}

/// Returns the name of the path parameter at `index`.
async fn name<S: Send + Sync>(parts: &mut Parts, state: &S, index: usize) -> String {
    let params = RawPathParams::from_request_parts(parts, state).await;
    params.ok().and_then(|params| params.iter().nth(index).map(|(name, _)| name.to_owned())).unwrap_or_default()
}

fn rule(expected: &str) -> String {
    match expected {
        "bool" => "must be true or false".to_owned(),
        "f32" | "f64" => "must be a number".to_owned(),
        _ => "must be an integer".to_owned(),
    }
}

fn custom(message: &str) -> String {
    if message.contains("UUID") {
        return "must be a UUID".to_owned();
    }
    if message.starts_with("must ") { message.to_owned() } else { "is not valid".to_owned() }
}
