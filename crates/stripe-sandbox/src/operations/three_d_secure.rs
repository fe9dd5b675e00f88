//! `/sandbox/3ds/{id}`: page of the bank or wallet, where the customer approves or rejects a payment.

use axum::Form;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;
use url::Url;

use crate::http::response::{ApiError, ErrorObject};
use crate::model::currency;
use crate::model::intent::{Intent, IntentStatus};
use crate::operations::charge;
use crate::state::AppState;
use crate::store::{intents, methods};
use crate::transaction::{LedgerTx, RequestOrigin};

/// Choice of the customer.
#[derive(Debug, Deserialize)]
pub(crate) struct Choice {
    outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Approve,
    Fail,
}

/// Returns the page.
pub(crate) async fn page(State(app): State<AppState>, Path(id): Path<String>) -> Result<Response, ApiError> {
    let mut conn = app.store.reader.acquire().await?;
    Ok(match intents::find(&mut conn, &id).await? {
        None => not_found(),
        Some(intent) if intent.status != IntentStatus::RequiresAction => not_pending(&intent),
        Some(intent) => {
            let amount = currency::format(intent.amount, &intent.currency);
            let body = format!(
                "<p>Do you approve the payment of <strong>{amount}</strong>?</p>\
                 <form method=\"post\"><button name=\"outcome\" value=\"approve\">Approve</button> \
                 <button name=\"outcome\" value=\"fail\">Fail</button></form>"
            );
            html(StatusCode::OK, &body)
        }
    })
}

/// Handles the choice, and redirects the customer to the return URL if the intent has one.
pub(crate) async fn complete(
    State(app): State<AppState>,
    Path(id): Path<String>,
    Form(choice): Form<Choice>,
) -> Result<Response, ApiError> {
    let mut tx = LedgerTx::begin(&app, RequestOrigin::default()).await?;
    let result = authenticate(&mut tx, &id, choice.outcome == Outcome::Approve).await?;
    Ok(match result {
        Authentication::NotFound => not_found(),
        Authentication::NotPending(intent) => not_pending(&intent),
        Authentication::Completed(intent) => {
            tx.commit(&app).await?;
            return_url(&intent).map_or_else(
                || html(StatusCode::OK, &format!("<p>Status of the payment: {}.</p>", intent.status.as_str())),
                |url| Redirect::to(url.as_str()).into_response(),
            )
        }
    })
}

/// Result of the authentication.
#[derive(Debug)]
enum Authentication {
    /// Unknown intent.
    NotFound,
    /// Intent that does not require an action, left unchanged.
    NotPending(Intent),
    /// Intent that succeeded or requires another payment method.
    Completed(Intent),
}

/// Charges an intent that requires an action if the customer approved it, and fails it otherwise.
async fn authenticate(tx: &mut LedgerTx, intent: &str, approved: bool) -> Result<Authentication, sqlx::Error> {
    let Some(mut intent) = intents::find(tx.conn(), intent).await? else {
        return Ok(Authentication::NotFound);
    };
    let method = match &intent.payment_method {
        Some(id) if intent.status == IntentStatus::RequiresAction => methods::get(tx.conn(), id).await?,
        _ => return Ok(Authentication::NotPending(intent)),
    };
    if approved {
        charge::succeed(tx, &mut intent, &method).await?;
    } else {
        let error = ErrorObject {
            r#type: "invalid_request_error",
            message:
                "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new \
                      PaymentMethod to attempt to fulfill this PaymentIntent again."
                    .to_owned(),
            payment_method: Some(method.to_json()),
            ..ErrorObject::default()
        }
        .with_code("payment_intent_authentication_failure");
        charge::fail(tx, &mut intent, &error).await?;
    }
    Ok(Authentication::Completed(intent))
}

/// Returns the return URL with the parameters that Stripe appends.
fn return_url(intent: &Intent) -> Option<Url> {
    let mut url: Url = intent.return_url.as_deref()?.parse().ok()?;
    let redirect_status = if intent.status == IntentStatus::Succeeded { "succeeded" } else { "failed" };
    url.query_pairs_mut()
        .append_pair("payment_intent", &intent.id)
        .append_pair("payment_intent_client_secret", &intent.client_secret)
        .append_pair("redirect_status", redirect_status);
    Some(url)
}

fn not_found() -> Response {
    html(StatusCode::NOT_FOUND, "<p>Payment not found.</p>")
}

fn not_pending(intent: &Intent) -> Response {
    let body =
        format!("<p>This payment does not require your approval. Its status is: {}.</p>", intent.status.as_str());
    html(StatusCode::CONFLICT, &body)
}

fn html(status: StatusCode, body: &str) -> Response {
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Payment</title>\
         <style>body{{font-family:sans-serif;margin:3rem auto;max-width:30rem}}</style>\
         <h1>Stripe sandbox</h1>{body}</html>"
    );
    let headers = [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            HeaderName::from_static("content-security-policy"),
            HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
        ),
    ];
    (status, headers, Html(page)).into_response()
}
