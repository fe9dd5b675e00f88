//! `/pay/{intent}`: hosted payment page, to which a shop sends its customer and which returns to the shop.

use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use url::Url;

use crate::http::auth::{Caller, secrets_equal};
use crate::http::response::ApiError;
use crate::model::currency;
use crate::model::intent::{Intent, IntentStatus};
use crate::operations::charge;
use crate::operations::method_choice::MethodChoice;
use crate::pages::{self, MessagePage, PayPage, respond};
use crate::state::{AppState, Settings};
use crate::store::intents;
use crate::transaction::{LedgerTx, RequestOrigin};

mod choices;

const ALREADY_PAID: &str = "This payment is complete. It was captured once; nothing is left to pay.";

/// Form of the page.
#[derive(Debug, Deserialize)]
pub(crate) struct PayForm {
    #[serde(default)]
    method: String,
}

/// Returns the HTML page.
pub(crate) async fn page(
    State(app): State<AppState>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let link = match Link::parse(query.as_deref(), &app.settings) {
        Ok(link) => link,
        Err(rejected) => return Ok(rejected.respond()),
    };
    let mut conn = app.store.reader.acquire().await?;
    Ok(match link.check(intents::find(&mut conn, &id).await?) {
        Ok(intent) => link.show(&intent, StatusCode::OK, None),
        Err(rejected) => rejected.respond(),
    })
}

/// Charges the chosen payment method and redirects the customer. A payment that is complete is not charged again.
pub(crate) async fn pay(
    State(app): State<AppState>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    form: Result<Form<PayForm>, FormRejection>,
) -> Result<Response, ApiError> {
    let link = match Link::parse(query.as_deref(), &app.settings) {
        Ok(link) => link,
        Err(rejected) => return Ok(rejected.respond()),
    };
    let mut tx = LedgerTx::begin(&app, RequestOrigin::default()).await?;
    let mut intent = match link.check(intents::find(tx.conn(), &id).await?) {
        Ok(intent) => intent,
        Err(rejected) => return Ok(rejected.respond()),
    };
    match intent.status {
        IntentStatus::Succeeded => return Ok(link.finish(&intent)),
        IntentStatus::Canceled => return Ok(link.show(&intent, StatusCode::CONFLICT, None)),
        _ => {}
    }
    let chosen = form.map(|Form(form)| form.method).unwrap_or_default();
    let offered = choices::choices(&intent.payment_method_types.0);
    let Some(choice) = offered.iter().find(|choice| choice.value == chosen) else {
        let error = "Choose one of the payment methods below.";
        return Ok(link.show(&intent, StatusCode::BAD_REQUEST, Some(error)));
    };
    let method = match choice.last4 {
        Some(_) => MethodChoice::Named(chosen),
        None => MethodChoice::OfType(chosen),
    };
    let method = method.resolve(&mut tx).await?;
    if let Some(url) = &link.return_url {
        intent.return_url = Some(url.to_string());
    }
    charge::attempt(&mut tx, intent, &method, Caller::Browser).await?;
    let intent = intents::find(tx.conn(), &id).await?;
    tx.commit(&app).await?;
    Ok(intent.map_or_else(|| Rejected::NotFound.respond(), |intent| link.finish(&intent)))
}

/// Parameters of the page's address.
struct Link {
    client_secret: String,
    /// Page of the shop to which the customer returns.
    return_url: Option<Url>,
}

/// Rejection of an address.
#[derive(Clone, Copy)]
enum Rejected {
    NotFound,
    WrongSecret,
    ForeignReturnUrl,
}

impl Rejected {
    fn respond(self) -> Response {
        let (status, title, text) = match self {
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "Payment not found",
                "There is no such payment here. Go back to the shop and start the payment again.",
            ),
            Self::WrongSecret => (
                StatusCode::FORBIDDEN,
                "This link is not valid",
                "The link does not belong to this payment. Go back to the shop and start the payment again.",
            ),
            Self::ForeignReturnUrl => (
                StatusCode::BAD_REQUEST,
                "This link is not valid",
                "The link does not lead back to the shop, so nothing can be paid with it. Go back to the shop and start \
                 the payment again.",
            ),
        };
        pages::message(status, title, text)
    }
}

impl Link {
    fn parse(query: Option<&str>, settings: &Settings) -> Result<Self, Rejected> {
        let (mut client_secret, mut return_url) = (String::new(), None);
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match &*name {
                "client_secret" => client_secret = value.into_owned(),
                "return_url" => return_url = Some(settings.url_of_shop(&value).ok_or(Rejected::ForeignReturnUrl)?),
                _ => {}
            }
        }
        Ok(Self { client_secret, return_url })
    }

    /// Returns the intent if the address has its client secret.
    fn check(&self, intent: Option<Intent>) -> Result<Intent, Rejected> {
        let intent = intent.ok_or(Rejected::NotFound)?;
        if secrets_equal(&self.client_secret, &intent.client_secret) { Ok(intent) } else { Err(Rejected::WrongSecret) }
    }

    /// Returns the page of an intent in its status.
    fn show(&self, intent: &Intent, status: StatusCode, error: Option<&str>) -> Response {
        let back = self.back(intent);
        let link = back.as_ref().map(Url::as_str);
        let (title, text, tone) = match intent.status {
            IntentStatus::Succeeded => ("Payment complete", ALREADY_PAID, "good"),
            IntentStatus::Canceled => {
                ("Payment cancelled", "The shop cancelled this payment. Nothing was captured.", "bad")
            }
            IntentStatus::RequiresAction if error.is_none() => {
                return Redirect::to(&approval_page(intent)).into_response();
            }
            _ => {
                let last_error = || intent.last_payment_error.as_ref()?.0["message"].as_str();
                let page = PayPage {
                    amount: currency::format(intent.amount, &intent.currency),
                    shop: self.return_url.as_ref().and_then(|url| url.host_str()).map(str::to_owned),
                    description: intent.description.as_deref(),
                    reference: &intent.id,
                    error: error.or_else(last_error),
                    choices: choices::choices(&intent.payment_method_types.0),
                };
                return respond(status, &page, self.return_url.as_ref());
            }
        };
        respond(status, &MessagePage { title, text, tone, link }, None)
    }

    /// Redirects the customer after an attempt: to the approval, back to the shop, or to this page's result.
    fn finish(&self, intent: &Intent) -> Response {
        if intent.status == IntentStatus::RequiresAction {
            return Redirect::to(&approval_page(intent)).into_response();
        }
        match self.back(intent) {
            Some(url) => Redirect::to(url.as_str()).into_response(),
            None => self.show(intent, StatusCode::OK, None),
        }
    }

    /// Returns the shop's page with the result.
    fn back(&self, intent: &Intent) -> Option<Url> {
        let mut url = self.return_url.clone()?;
        url.query_pairs_mut()
            .append_pair("payment_intent", &intent.id)
            .append_pair("redirect_status", intent.redirect_status());
        Some(url)
    }
}

/// Returns the address of the approval, relative to this page, so that it has the origin by which the browser came.
fn approval_page(intent: &Intent) -> String {
    format!("../sandbox/3ds/{}?hosted=true", intent.id)
}
