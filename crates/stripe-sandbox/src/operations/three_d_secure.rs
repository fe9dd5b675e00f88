//! `/sandbox/3ds/{id}`: page of the bank or wallet, where the customer approves or rejects a payment.

use axum::Form;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use url::Url;

use crate::http::response::{ApiError, ErrorObject};
use crate::model::currency;
use crate::model::intent::{Intent, IntentStatus};
use crate::operations::charge;
use crate::pages::{self, ApprovePage, respond};
use crate::state::AppState;
use crate::store::{intents, methods};
use crate::transaction::{LedgerTx, RequestOrigin};

/// Query of a customer who comes from the hosted payment page, whose return contains no secret.
const FROM_HOSTED_PAGE: &str = "hosted=true";

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

/// Returns the HTML page.
pub(crate) async fn page(State(app): State<AppState>, Path(id): Path<String>) -> Result<Response, ApiError> {
    let mut conn = app.store.reader.acquire().await?;
    let Some(intent) = intents::find(&mut conn, &id).await? else { return Ok(not_found()) };
    let method = match &intent.payment_method {
        Some(method) if intent.status == IntentStatus::RequiresAction => methods::get(&mut conn, method).await?,
        _ => return Ok(not_pending(&intent)),
    };
    let page = ApprovePage {
        amount: currency::format(intent.amount, &intent.currency),
        method: method.title(),
        reference: &intent.id,
    };
    let target = intent.return_url.as_deref().and_then(|url| url.parse().ok());
    Ok(respond(StatusCode::OK, &page, target.as_ref()))
}

/// Handles the choice, and redirects the customer to the return URL if the intent has one.
pub(crate) async fn complete(
    State(app): State<AppState>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    Form(choice): Form<Choice>,
) -> Result<Response, ApiError> {
    let mut tx = LedgerTx::begin(&app, RequestOrigin::default()).await?;
    let result = authenticate(&mut tx, &id, choice.outcome == Outcome::Approve).await?;
    let with_secret = query.as_deref() != Some(FROM_HOSTED_PAGE);
    Ok(match result {
        Authentication::NotFound => not_found(),
        // A second click returns as the first one does.
        Authentication::NotPending(intent) if !with_secret => finished(&intent, with_secret),
        Authentication::NotPending(intent) => not_pending(&intent),
        Authentication::Completed(intent) => {
            tx.commit(&app).await?;
            finished(&intent, with_secret)
        }
    })
}

fn finished(intent: &Intent, with_secret: bool) -> Response {
    return_url(intent, with_secret).map_or_else(
        || {
            let text = format!("Status of the payment: {}.", intent.status.as_str());
            pages::message(StatusCode::OK, "Thank you", &text)
        },
        |url| Redirect::to(url.as_str()).into_response(),
    )
}

/// Result of the authentication.
#[derive(Debug)]
enum Authentication {
    /// Authentication outcome: unknown intent.
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

/// Returns the return URL with the parameters that Stripe appends; the secret is left out for the hosted page.
fn return_url(intent: &Intent, with_secret: bool) -> Option<Url> {
    let mut url: Url = intent.return_url.as_deref()?.parse().ok()?;
    url.query_pairs_mut().append_pair("payment_intent", &intent.id);
    if with_secret {
        url.query_pairs_mut().append_pair("payment_intent_client_secret", &intent.client_secret);
    }
    url.query_pairs_mut().append_pair("redirect_status", intent.redirect_status());
    Some(url)
}

fn not_found() -> Response {
    pages::message(StatusCode::NOT_FOUND, "Payment not found", "There is no such payment here.")
}

fn not_pending(intent: &Intent) -> Response {
    let text = format!("This payment does not require your approval. Its status is: {}.", intent.status.as_str());
    pages::message(StatusCode::CONFLICT, "Nothing to approve", &text)
}
