//! One call of the API: who made it, with which parameters, under which idempotency key.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, Method, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::http::answer::ApiError;
use crate::http::auth::{self, Caller};
use crate::http::params::Params;
use crate::http::parse::{self, Tree};
use crate::http::trace::RequestId;
use crate::sandbox::App;

/// The largest body that is read, in bytes.
const LARGEST_BODY: usize = 256 * 1024;
/// The longest idempotency key (<https://docs.stripe.com/api/idempotent_requests>).
const LONGEST_KEY: usize = 255;

/// A call by the account or by a browser; the handler must check the client secret of a browser.
#[derive(Debug)]
pub(crate) struct AnyCall(pub(crate) Call);

/// A call that only the account may make.
#[derive(Debug)]
pub(crate) struct AccountCall(pub(crate) Call);

/// What was sent.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) caller: Caller,
    pub(crate) path: String,
    pub(crate) params: Params,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) id: RequestId,
}

impl FromRequest<App> for AnyCall {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
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
        Ok(Self(Call {
            caller,
            path: parts.uri.path().to_owned(),
            params: Params(tree),
            idempotency_key,
            id: parts.extensions.get().cloned().unwrap_or_else(RequestId::generate),
        }))
    }
}

impl FromRequest<App> for AccountCall {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        // The key is looked at before the body, so that a stranger cannot make the sandbox read one.
        if auth::caller(request.headers(), &app.settings.secret_key)? == Caller::Browser {
            return Err(auth::secret_key_required());
        }
        AnyCall::from_request(request, app).await.map(|AnyCall(call)| Self(call))
    }
}

async fn read(body: Body) -> Result<Bytes, ApiError> {
    match Limited::new(body, LARGEST_BODY).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(ApiError::invalid(format!("The request body must be at most {LARGEST_BODY} bytes"))
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
        Ok(key) if !key.is_empty() && key.len() <= LONGEST_KEY => Ok(Some(key.to_owned())),
        _ => {
            Err(ApiError::idempotency(format!("Idempotency keys must be 1 to {LONGEST_KEY} printable characters long")))
        }
    }
}
