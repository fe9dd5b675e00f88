//! Execution of mutating requests: once per idempotency key, with effect and response in one transaction
//! (<https://docs.stripe.com/api/idempotent_requests>).

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::http::request::ApiRequest;
use crate::http::response::{ApiError, ApiResponse};
use crate::state::AppState;
use crate::store::keys::{self, StoredResponse};
use crate::transaction::{LedgerTx, RequestOrigin};

/// Operation that changes the ledger, with validated parameters.
pub(crate) trait Operation: Send {
    /// Executes the operation. Its writes are committed with a response and rolled back on an error.
    fn run(self, tx: &mut LedgerTx) -> impl Future<Output = Result<ApiResponse, ApiError>> + Send;
}

/// Executes the operation, or returns the response stored under its key.
pub(crate) async fn execute(
    app: &AppState,
    request: &ApiRequest,
    operation: impl Operation,
) -> Result<Response, ApiError> {
    let guard = match &request.idempotency_key {
        Some(key) => Some(app.in_flight.try_acquire(key).ok_or_else(|| in_use(key))?),
        None => None,
    };
    let mut tx = LedgerTx::begin(app, origin(request)).await?;
    let now = tx.now;
    if let Some(key) = &request.idempotency_key
        && let Some(stored) = keys::find(tx.conn(), key, now).await?
    {
        return replay(request, key, stored);
    }
    let result = operation.run(&mut tx).await;
    let response = match result {
        Ok(response) => {
            store(&mut tx, request, response.status, &response.body).await?;
            tx.commit(app).await?;
            Ok(response.into_response())
        }
        Err(error) => {
            tx.rollback().await?;
            if error.executed && request.idempotency_key.is_some() {
                let mut tx = LedgerTx::begin(app, origin(request)).await?;
                store(&mut tx, request, error.status, &error.object.body()).await?;
                tx.commit(app).await?;
            }
            Err(error)
        }
    };
    drop(guard);
    response
}

fn origin(request: &ApiRequest) -> RequestOrigin {
    RequestOrigin { request: Some(request.id.0.clone()), idempotency_key: request.idempotency_key.clone() }
}

async fn store(tx: &mut LedgerTx, request: &ApiRequest, status: StatusCode, body: &Value) -> Result<(), ApiError> {
    let Some(key) = &request.idempotency_key else {
        return Ok(());
    };
    let stored = StoredResponse {
        path: request.path.clone(),
        fingerprint: fingerprint(request),
        status: status.as_u16(),
        body: body.to_string(),
    };
    let now = tx.now;
    Ok(keys::insert(tx.conn(), key, &stored, now).await?)
}

fn replay(request: &ApiRequest, key: &str, stored: StoredResponse) -> Result<Response, ApiError> {
    let hint = format!("Try using a key other than '{key}' if you meant to execute a different request.");
    if stored.path != request.path {
        return Err(ApiError::idempotency(format!(
            "Keys for idempotent requests can only be used for the same endpoint they were first used for ('{}' vs '{}'). {hint}",
            request.path, stored.path
        )));
    }
    if stored.fingerprint != fingerprint(request) {
        return Err(ApiError::idempotency(format!(
            "Keys for idempotent requests can only be used with the same parameters they were first used with. {hint}"
        )));
    }
    let status = StatusCode::from_u16(stored.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (HeaderName::from_static("idempotent-replayed"), HeaderValue::from_static("true")),
    ];
    Ok((status, headers, stored.body).into_response())
}

/// Returns a fingerprint that distinguishes requests under one key without storing their parameters.
fn fingerprint(request: &ApiRequest) -> String {
    let content = serde_json::json!([format!("{:?}", request.caller), request.params.0]);
    Sha256::digest(content.to_string()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn in_use(key: &str) -> ApiError {
    let message = format!(
        "There is currently another in-progress request using this Idempotent Key (that probably means you submitted \
         twice, and the other request is still going through): {key}. Please try again later."
    );
    ApiError::idempotency(message).status(StatusCode::CONFLICT).code("idempotency_key_in_use")
}
