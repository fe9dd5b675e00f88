//! Carries out what changes the ledger: once for each idempotency key, effect and answer in one transaction
//! (<https://docs.stripe.com/api/idempotent_requests>).

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::http::answer::{Answer, ApiError};
use crate::http::request::Call;
use crate::rules::work::{Cause, Work};
use crate::sandbox::App;
use crate::store::keys::{self, Kept};

/// Something that changes the ledger. Its parameters were found good before.
pub(crate) trait Operation: Send {
    /// Does it. What it wrote is kept if it answers, and undone if it refuses.
    fn run(self, work: &mut Work) -> impl Future<Output = Result<Answer, ApiError>> + Send;
}

/// Carries out `operation`, or repeats what its key got before.
pub(crate) async fn execute(app: &App, call: &Call, operation: impl Operation) -> Result<Response, ApiError> {
    let held = match &call.idempotency_key {
        Some(key) => Some(app.in_flight.hold(key).ok_or_else(|| in_use(key))?),
        None => None,
    };
    let mut work = Work::begin(app, cause(call)).await?;
    let now = work.now;
    if let Some(key) = &call.idempotency_key
        && let Some(kept) = keys::find(work.conn(), key, now).await?
    {
        return replay(call, key, kept);
    }
    let result = operation.run(&mut work).await;
    let answer = match result {
        Ok(answer) => {
            keep(&mut work, call, answer.status, &answer.body).await?;
            work.commit(app).await?;
            Ok(answer.into_response())
        }
        Err(refusal) => {
            work.undo().await?;
            if refusal.executed && call.idempotency_key.is_some() {
                let mut work = Work::begin(app, cause(call)).await?;
                keep(&mut work, call, refusal.status, &refusal.object.body()).await?;
                work.commit(app).await?;
            }
            Err(refusal)
        }
    };
    drop(held);
    answer
}

fn cause(call: &Call) -> Cause {
    Cause { request: Some(call.id.0.clone()), idempotency_key: call.idempotency_key.clone() }
}

async fn keep(work: &mut Work, call: &Call, status: StatusCode, body: &Value) -> Result<(), ApiError> {
    let Some(key) = &call.idempotency_key else {
        return Ok(());
    };
    let kept = Kept {
        path: call.path.clone(),
        fingerprint: fingerprint(call),
        status: status.as_u16(),
        body: body.to_string(),
    };
    let now = work.now;
    Ok(keys::insert(work.conn(), key, &kept, now).await?)
}

fn replay(call: &Call, key: &str, kept: Kept) -> Result<Response, ApiError> {
    let hint = format!("Try using a key other than '{key}' if you meant to execute a different request.");
    if kept.path != call.path {
        return Err(ApiError::idempotency(format!(
            "Keys for idempotent requests can only be used for the same endpoint they were first used for ('{}' vs '{}'). {hint}",
            call.path, kept.path
        )));
    }
    if kept.fingerprint != fingerprint(call) {
        return Err(ApiError::idempotency(format!(
            "Keys for idempotent requests can only be used with the same parameters they were first used with. {hint}"
        )));
    }
    let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (HeaderName::from_static("idempotent-replayed"), HeaderValue::from_static("true")),
    ];
    Ok((status, headers, kept.body).into_response())
}

/// Tells requests under one key apart, without keeping what was sent.
fn fingerprint(call: &Call) -> String {
    let sent = serde_json::json!([format!("{:?}", call.caller), call.params.0]);
    Sha256::digest(sent.to_string()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn in_use(key: &str) -> ApiError {
    let message = format!(
        "There is currently another in-progress request using this Idempotent Key (that probably means you submitted \
         twice, and the other request is still going through): {key}. Please try again later."
    );
    ApiError::idempotency(message).status(StatusCode::CONFLICT).code("idempotency_key_in_use")
}
