//! `/sandbox/3ds/{id}`: the page of the bank or the wallet, where the customer approves a payment or does not.

use axum::Form;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;
use url::Url;

use crate::http::answer::ApiError;
use crate::model::currency;
use crate::model::intent::{Intent, IntentStatus};
use crate::rules::authenticate::{Authenticated, authenticate};
use crate::rules::work::{Cause, Work};
use crate::sandbox::App;
use crate::store::intents;

/// What the customer chose.
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

/// Asks.
pub(crate) async fn page(State(app): State<App>, Path(id): Path<String>) -> Result<Response, ApiError> {
    let mut conn = app.store.reader.acquire().await?;
    Ok(match intents::find(&mut conn, &id).await? {
        None => unknown(),
        Some(intent) if intent.status != IntentStatus::RequiresAction => not_waiting(&intent),
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

/// Takes the choice, and sends the customer back to the shop where the shop said how.
pub(crate) async fn complete(
    State(app): State<App>,
    Path(id): Path<String>,
    Form(choice): Form<Choice>,
) -> Result<Response, ApiError> {
    let mut work = Work::begin(&app, Cause::default()).await?;
    let done = authenticate(&mut work, &id, choice.outcome == Outcome::Approve).await?;
    Ok(match done {
        Authenticated::Unknown => unknown(),
        Authenticated::NotWaiting(intent) => not_waiting(&intent),
        Authenticated::Done(intent) => {
            work.commit(&app).await?;
            back(&intent).map_or_else(
                || html(StatusCode::OK, &format!("<p>The payment is now: {}.</p>", intent.status.as_str())),
                |url| Redirect::to(url.as_str()).into_response(),
            )
        }
    })
}

/// The shop's own address with what Stripe adds to it.
fn back(intent: &Intent) -> Option<Url> {
    let mut url: Url = intent.return_url.as_deref()?.parse().ok()?;
    let redirect_status = if intent.status == IntentStatus::Succeeded { "succeeded" } else { "failed" };
    url.query_pairs_mut()
        .append_pair("payment_intent", &intent.id)
        .append_pair("payment_intent_client_secret", &intent.client_secret)
        .append_pair("redirect_status", redirect_status);
    Some(url)
}

fn unknown() -> Response {
    html(StatusCode::NOT_FOUND, "<p>There is no such payment.</p>")
}

fn not_waiting(intent: &Intent) -> Response {
    let body = format!("<p>This payment does not wait for you. It is: {}.</p>", intent.status.as_str());
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
