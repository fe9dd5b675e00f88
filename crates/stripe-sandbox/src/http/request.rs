//! Extractors of API requests: caller, parameters and idempotency key.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, Method, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::http::auth::{self, Caller};
use crate::http::params::Params;
use crate::http::parse::{self, Tree};
use crate::http::response::ApiError;
use crate::http::telemetry::RequestId;
use crate::state::AppState;

/// Maximum size of a body in bytes.
const MAX_BODY: usize = 256 * 1024;
/// Maximum length of an idempotency key (<https://docs.stripe.com/api/idempotent_requests>).
const MAX_KEY: usize = 255;

/// Request by the account or by a browser, whose client secret the handler must check.
#[derive(Debug)]
pub(crate) struct AnyCaller(pub(crate) ApiRequest);

/// Request by the account; one by a browser is rejected.
#[derive(Debug)]
pub(crate) struct AccountOnly(pub(crate) ApiRequest);

/// Request to the API.
#[derive(Debug)]
pub(crate) struct ApiRequest {
    pub(crate) caller: Caller,
    pub(crate) path: String,
    pub(crate) params: Params,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) id: RequestId,
}

impl FromRequest<AppState> for AnyCaller {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &AppState) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let caller = auth::caller(&parts.headers, &app.settings.secret_key)?;
        let mut tree = Tree::new();
        parse::add(&mut tree, parts.uri.query().unwrap_or_default().as_bytes())?;
        let body = read(body).await?;
        if !body.is_empty() {
            check_form(&parts.headers)?;
            parse::add(&mut tree, &body)?;
        }
        let idempotency_key = if parts.method == Method::POST { key(&parts.headers)? } else { None };
        Ok(Self(ApiRequest {
            caller,
            path: parts.uri.path().to_owned(),
            params: Params(tree),
            idempotency_key,
            id: parts.extensions.get().cloned().unwrap_or_else(RequestId::generate),
        }))
    }
}

impl FromRequest<AppState> for AccountOnly {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &AppState) -> Result<Self, ApiError> {
        // The key is checked before the body is read, so that only authenticated callers can send a body.
        if auth::caller(request.headers(), &app.settings.secret_key)? == Caller::Browser {
            return Err(auth::secret_key_required());
        }
        AnyCaller::from_request(request, app).await.map(|AnyCaller(request)| Self(request))
    }
}

async fn read(body: Body) -> Result<Bytes, ApiError> {
    match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(ApiError::invalid(format!("The request body must be at most {MAX_BODY} bytes"))
                .status(StatusCode::PAYLOAD_TOO_LARGE))
        }
        Err(_) => Err(ApiError::invalid("The request body is incomplete")),
    }
}

fn check_form(headers: &HeaderMap) -> Result<(), ApiError> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    if essence.is_some_and(|essence| !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")) {
        return Err(ApiError::invalid(
            "Invalid request (check that your POST content type is application/x-www-form-urlencoded). If you have any \
             questions, we can help at https://support.stripe.com/.",
        ));
    }
    Ok(())
}

fn key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= MAX_KEY => Ok(Some(key.to_owned())),
        _ => Err(ApiError::idempotency(format!("Idempotency keys must be 1 to {MAX_KEY} printable characters long"))),
    }
}
