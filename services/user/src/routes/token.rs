//! `POST /api/auth/token`: OAuth 2.0 client credentials (RFC 6749, section 4.4).

use axum::Form;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use contracts::api::TokenResponse;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::state::AppState;

#[derive(Deserialize, ToSchema)]
#[schema(as = TokenRequest)]
pub(super) struct TokenRequest {
    /// Grant type: `client_credentials`.
    grant_type: Option<String>,
    /// Id of the client, instead of HTTP Basic.
    client_id: Option<String>,
    /// Secret of the client, instead of HTTP Basic.
    #[schema(value_type = Option<String>)]
    client_secret: Option<SecretString>,
}

/// Error response of RFC 6749, section 5.2.
#[derive(Serialize, ToSchema)]
#[schema(as = TokenRefusal)]
pub(super) struct TokenErrorResponse {
    error: &'static str,
}

/// Issues a token for calls between services, valid for an hour.
#[utoipa::path(
    post,
    path = "/api/auth/token",
    tag = "auth",
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, body = TokenResponse),
        (status = 400, description = "unsupported_grant_type, invalid_request", body = TokenErrorResponse),
        (status = 401, description = "invalid_client", body = TokenErrorResponse),
    )
)]
pub(super) async fn token(
    State(app): State<AppState>,
    headers: HeaderMap,
    request: Result<Form<TokenRequest>, FormRejection>,
) -> Response {
    let Ok(Form(request)) = request else { return reject(StatusCode::BAD_REQUEST, "invalid_request") };
    let TokenRequest { grant_type, client_id, client_secret } = request;
    let candidates = credentials(&headers, client_id, client_secret);
    let Some(client) = candidates.iter().find_map(|(id, secret)| app.clients.authenticate(id, secret)) else {
        let mut response = reject(StatusCode::UNAUTHORIZED, "invalid_client");
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"shopfleet\""));
        return response;
    };
    match grant_type.as_deref() {
        Some("client_credentials") => {}
        Some(_) => return reject(StatusCode::BAD_REQUEST, "unsupported_grant_type"),
        None => return reject(StatusCode::BAD_REQUEST, "invalid_request"),
    }
    let token = app.clients.issue_token(client);
    let response = TokenResponse {
        access_token: token.access_token,
        token_type: "Bearer".to_owned(),
        expires_in: token.expires_in.num_seconds().unsigned_abs(),
    };
    ([(CACHE_CONTROL, "no-store")], axum::Json(response)).into_response()
}

fn reject(status: StatusCode, error: &'static str) -> Response {
    (status, [(CACHE_CONTROL, "no-store")], axum::Json(TokenErrorResponse { error })).into_response()
}

/// Returns the possible credentials of a request, as pairs of id and secret.
///
/// Both halves of HTTP Basic are form-encoded (RFC 6749, section 2.3.1). Many clients omit the encoding, so the raw form
/// is a candidate too.
fn credentials(headers: &HeaderMap, id: Option<String>, secret: Option<SecretString>) -> Vec<(String, String)> {
    match basic(headers) {
        Some((id, secret)) => vec![(form_decoded(&id), form_decoded(&secret)), (id, secret)],
        None => id.zip(secret.map(|secret| secret.expose_secret().to_owned())).into_iter().collect(),
    }
}

fn form_decoded(half: &str) -> String {
    let pair = format!("x={half}");
    let decoded = url::form_urlencoded::parse(pair.as_bytes()).next();
    decoded.map_or_else(|| half.to_owned(), |(_, value)| value.into_owned())
}

/// Returns id and secret of HTTP Basic authentication.
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let header = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64_STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}
