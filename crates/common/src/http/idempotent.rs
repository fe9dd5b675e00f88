//! Idempotent requests with an `Idempotency-Key`.

use std::future::Future;

use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use contracts::ErrorCode;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::extract::read_bytes;
use super::{ApiError, Json, Json422, OptionalJson, free_json, text};
use crate::auth::Caller;
use crate::database::idempotency::{
    Acquire, FINGERPRINT_SCHEME, IdempotencyKeys, IdempotencyLease, IdempotentRequest, StoredResponse,
};

/// Header with the key of a request.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Header of a response that repeats that of an earlier request.
pub const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Allowed lengths of a key.
const KEY_CHARS: std::ops::RangeInclusive<usize> = 1..=255;

/// Request extracted by `E`, with its idempotency key if it has one. Keys have from 1 to 255 characters.
#[derive(Debug)]
pub struct Idempotent<E> {
    /// Extracted request.
    pub input: E,
    key: Option<Key>,
}

/// Idempotency key with the fingerprint of its request.
#[derive(Clone, Debug)]
struct Key {
    key: String,
    hash: [u8; 32],
    fingerprint: String,
}

/// Parsed body, for the fingerprint of its request.
pub trait ParsedBody {
    /// Returns the parsed body as JSON.
    ///
    /// # Errors
    /// The body has no JSON representation; its bytes are compared instead.
    fn to_json(&self) -> serde_json::Result<Value>;
}

impl<T: Serialize> ParsedBody for Json<T> {
    fn to_json(&self) -> serde_json::Result<Value> {
        serde_json::to_value(&self.0)
    }
}

impl<T: Serialize> ParsedBody for Json422<T> {
    fn to_json(&self) -> serde_json::Result<Value> {
        serde_json::to_value(&self.0)
    }
}

impl<T: Serialize> ParsedBody for OptionalJson<T> {
    fn to_json(&self) -> serde_json::Result<Value> {
        serde_json::to_value(&self.0)
    }
}

impl<E> Idempotent<E> {
    /// Returns the idempotent request of a caller, if it has a key.
    #[must_use]
    pub fn for_caller(&self, caller: &Caller) -> Option<IdempotentRequest> {
        let Key { key, hash, fingerprint } = self.key.clone()?;
        Some(IdempotentRequest { caller: caller.subject.clone(), key, hash, fingerprint })
    }

    /// Returns the key, to forward it to another service.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_ref().map(|key| key.key.as_str())
    }
}

impl<S, E> FromRequest<S> for Idempotent<E>
where
    S: Send + Sync,
    E: FromRequest<S, Rejection = ApiError> + ParsedBody,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let Some(key) = key(request.headers())? else {
            return Ok(Self { input: E::from_request(request, state).await?, key: None });
        };
        let (parts, body) = request.into_parts();
        let body = read_bytes(body).await?;
        let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
        let digest = |body: &[u8]| -> [u8; 32] {
            let parts = [method.as_str().as_bytes(), &[0], path.as_bytes(), &[0], body];
            parts.into_iter().fold(Sha256::new(), |hash, part| hash.chain_update(part)).finalize().into()
        };
        // The same JSON in another layout is the same request.
        let hash = match serde_json::from_slice::<Value>(&body) {
            Ok(value) => digest(value.to_string().as_bytes()),
            Err(_) => digest(&body),
        };
        let input = E::from_request(Request::from_parts(parts, body.into()), state).await?;
        let parsed = input.to_json().map_or(hash, |json| digest(free_json::canonical(&json).as_bytes()));
        let parsed = text::hex(&parsed);
        let fingerprint = format!("{FINGERPRINT_SCHEME}{parsed}");
        Ok(Self { input, key: Some(Key { key, hash, fingerprint }) })
    }
}

fn key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let invalid = |message: String| ApiError::invalid_field(IDEMPOTENCY_KEY, message);
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(invalid("must be sent once".to_owned()));
    }
    let key = value.to_str().map_err(|_| invalid("must be ASCII text".to_owned()))?;
    if KEY_CHARS.contains(&key.len()) {
        Ok(Some(key.to_owned()))
    } else {
        Err(invalid(format!("must have from {} to {} characters", KEY_CHARS.start(), KEY_CHARS.end())))
    }
}

/// Creates a response that can be stored.
///
/// # Errors
/// Serialization failed, which does not happen for plain structs.
pub fn stored_json(
    status: StatusCode,
    location: Option<String>,
    body: &impl Serialize,
) -> Result<StoredResponse, ApiError> {
    let body = serde_json::to_string(body).map_err(ApiError::internal)?;
    Ok(StoredResponse { status: status.as_u16(), location, body })
}

/// Runs `work` once per idempotency key, or each time without a key. `work` commits its response together with its
/// effects by the given [`IdempotencyLease`]. Errors are not stored.
///
/// # Errors
/// Errors of `work`; `IDEMPOTENCY_MISMATCH`, `IDEMPOTENCY_IN_FLIGHT`; or the store is unavailable.
pub async fn run_idempotent<F, Fut>(
    keys: &IdempotencyKeys,
    request: Option<IdempotentRequest>,
    work: F,
) -> Result<Response, ApiError>
where
    F: FnOnce(Option<IdempotencyLease>) -> Fut,
    Fut: Future<Output = Result<StoredResponse, ApiError>>,
{
    let Some(request) = request else { return respond(work(None).await?, false) };
    match keys.begin(&request).await? {
        Acquire::Acquired(lease) => {
            let reference = lease.reference.clone();
            match work(Some(lease)).await {
                Ok(response) => respond(response, false),
                Err(error) => {
                    if let Err(error) = keys.release(&reference).await {
                        let error = crate::error_chain(&error);
                        tracing::warn!(error, "idempotency key not released; it is locked until its lease ends");
                    }
                    Err(error)
                }
            }
        }
        Acquire::Completed(response) => respond(response, true),
        Acquire::InProgress => {
            let detail = "A request with this idempotency key is in progress";
            Err(ApiError::new(ErrorCode::IdempotencyInFlight, detail))
        }
        Acquire::KeyReused => {
            let detail = "The idempotency key belongs to another request";
            Err(ApiError::new(ErrorCode::IdempotencyMismatch, detail))
        }
    }
}

fn respond(response: StoredResponse, replayed: bool) -> Result<Response, ApiError> {
    let status = StatusCode::from_u16(response.status).map_err(ApiError::internal)?;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(location) = response.location {
        headers.insert(LOCATION, HeaderValue::from_str(&location).map_err(ApiError::internal)?);
    }
    if replayed {
        headers.insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    Ok((status, headers, response.body).into_response())
}
