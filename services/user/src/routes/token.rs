//! `POST /api/auth/token`: OAuth 2.0 client credentials (RFC 6749, section 4.4).

use axum::Form;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use contracts::ScopeSet;
use contracts::calls::ServiceTokenAnswer;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use utoipa::ToSchema;

use crate::app::AppState;
use crate::config::Client;
use crate::tokens::SERVICE_LIFE;

#[derive(Deserialize, ToSchema)]
#[schema(as = TokenRequest)]
pub(super) struct Body {
    /// `client_credentials`.
    grant_type: Option<String>,
    /// Instead of HTTP Basic.
    client_id: Option<String>,
    /// Instead of HTTP Basic.
    #[schema(value_type = Option<String>)]
    client_secret: Option<SecretString>,
}

/// A refusal as RFC 6749, section 5.2, has it.
#[derive(Serialize, ToSchema)]
#[schema(as = TokenRefusal)]
pub(super) struct Refusal {
    error: &'static str,
}

/// A token for calls between services, which lasts an hour.
#[utoipa::path(
    post,
    path = "/api/auth/token",
    tag = "auth",
    request_body(content = Body, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, body = ServiceTokenAnswer),
        (status = 400, description = "unsupported_grant_type, invalid_request", body = Refusal),
        (status = 401, description = "invalid_client", body = Refusal),
    )
)]
pub(super) async fn token(
    State(app): State<AppState>,
    headers: HeaderMap,
    body: Result<Form<Body>, FormRejection>,
) -> Response {
    let Ok(Form(body)) = body else { return refuse(StatusCode::BAD_REQUEST, "invalid_request") };
    let sent = match basic(&headers) {
        Some((id, secret)) => vec![(decoded(&id), decoded(&secret)), (id, secret)],
        None => {
            body.client_id.zip(body.client_secret.map(|secret| secret.expose_secret().to_owned())).into_iter().collect()
        }
    };
    let client = sent.iter().find_map(|(id, secret)| known(&app.clients, id, secret));
    let Some(client) = client else {
        let mut response = refuse(StatusCode::UNAUTHORIZED, "invalid_client");
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"shopfleet\""));
        return response;
    };
    match body.grant_type.as_deref() {
        Some("client_credentials") => {}
        Some(_) => return refuse(StatusCode::BAD_REQUEST, "unsupported_grant_type"),
        None => return refuse(StatusCode::BAD_REQUEST, "invalid_request"),
    }
    let answer = ServiceTokenAnswer {
        access_token: app.tokens.service(&client.id, client.scopes.unwrap_or(ScopeSet::ALL)),
        token_type: "Bearer".to_owned(),
        expires_in: SERVICE_LIFE.num_seconds().unsigned_abs(),
    };
    ([(CACHE_CONTROL, "no-store")], axum::Json(answer)).into_response()
}

fn refuse(status: StatusCode, error: &'static str) -> Response {
    (status, [(CACHE_CONTROL, "no-store")], axum::Json(Refusal { error })).into_response()
}

/// Every client is compared, each in constant time, so that the answer's time tells nothing.
fn known<'a>(clients: &'a [Client], id: &str, secret: &str) -> Option<&'a Client> {
    let hash: [u8; 32] = Sha256::digest(secret).into();
    clients.iter().fold(None, |found, client| {
        let same = bool::from(client.secret_hash.ct_eq(&hash)) && client.id == id;
        if same { Some(client) } else { found }
    })
}

/// A half of the credentials: form-encoded before the two are joined (RFC 6749, section 2.3.1). Many clients do not do
/// that, so it is held against the clients as it came, too.
fn decoded(half: &str) -> String {
    let pair = format!("x={half}");
    let decoded = url::form_urlencoded::parse(pair.as_bytes()).next();
    decoded.map_or_else(|| half.to_owned(), |(_, value)| value.into_owned())
}

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
