//! Charge of an intent.

use serde_json::Value;

use crate::faults::roll;
use crate::http::auth::Caller;
use crate::http::response::{ApiResponse, ErrorObject};
use crate::ids;
use crate::model::charge::{Charge, ChargeStatus};
use crate::model::event::EventKind;
use crate::model::intent::{Intent, IntentStatus};
use crate::model::json_text::JsonText;
use crate::model::method::Method;
use crate::model::test_methods::{Decline, GENERIC_DECLINE, Outcome};
use crate::operations::intent_checks;
use crate::store::{charges, intents, methods};
use crate::transaction::LedgerTx;
use axum::http::StatusCode;

/// Charges the payment method of an open intent: the charge succeeds, is declined (402, and the intent requires another
/// method), or requires an action of the customer.
pub(crate) async fn attempt(
    tx: &mut LedgerTx,
    mut intent: Intent,
    method: &Method,
    caller: Caller,
) -> Result<ApiResponse, sqlx::Error> {
    methods::insert_if_absent(tx.conn(), method).await?;
    let outcome = match method.outcome() {
        Outcome::Succeeds if roll(tx.settings.faults.get().decline) => Outcome::Declined(GENERIC_DECLINE),
        outcome => outcome,
    };
    match outcome {
        Outcome::Succeeds => succeed(tx, &mut intent, method).await?,
        Outcome::NeedsAction => {
            intent.status = IntentStatus::RequiresAction;
            intent.payment_method = Some(method.id.clone());
            intent.last_payment_error = None;
            intents::update(tx.conn(), &intent).await?;
        }
        Outcome::Declined(decline) => return declined(tx, intent, method, decline, caller).await,
    }
    let hosted_url = tx.settings.hosted_url.as_str();
    Ok(ApiResponse::ok(intent_checks::visible_json(&intent, caller, hosted_url)))
}

/// Records a successful charge.
pub(crate) async fn succeed(tx: &mut LedgerTx, intent: &mut Intent, method: &Method) -> Result<(), sqlx::Error> {
    let charge = charge(tx, intent, method, None);
    charges::insert(tx.conn(), &charge).await?;
    intent.status = IntentStatus::Succeeded;
    intent.amount_received = intent.amount;
    intent.payment_method = Some(method.id.clone());
    intent.latest_charge = Some(charge.id);
    intent.last_payment_error = None;
    intents::update(tx.conn(), intent).await?;
    let object = intent.to_json(&tx.settings.hosted_url);
    tx.emit(EventKind::IntentSucceeded, &object).await
}

async fn declined(
    tx: &mut LedgerTx,
    mut intent: Intent,
    method: &Method,
    decline: Decline,
    caller: Caller,
) -> Result<ApiResponse, sqlx::Error> {
    let charge = charge(tx, &intent, method, Some(decline));
    charges::insert(tx.conn(), &charge).await?;
    let mut error = ErrorObject {
        r#type: "card_error",
        message: decline.message.to_owned(),
        decline_code: decline.decline_code,
        charge: Some(charge.id.clone()),
        payment_method: Some(method.to_json()),
        ..ErrorObject::default()
    }
    .with_code(decline.code);
    intent.latest_charge = Some(charge.id);
    fail(tx, &mut intent, &error).await?;
    error.payment_intent = Some(intent_checks::visible_json(&intent, caller, &tx.settings.hosted_url));
    Ok(ApiResponse { status: StatusCode::PAYMENT_REQUIRED, body: error.body() })
}

/// Returns the intent to `requires_payment_method`, with the error as the reason.
pub(crate) async fn fail(tx: &mut LedgerTx, intent: &mut Intent, error: &ErrorObject) -> Result<(), sqlx::Error> {
    let error = serde_json::to_value(error).unwrap_or(Value::Null);
    intent.status = IntentStatus::RequiresPaymentMethod;
    intent.payment_method = None;
    intent.last_payment_error = Some(JsonText(error));
    intents::update(tx.conn(), intent).await?;
    let object = intent.to_json(&tx.settings.hosted_url);
    tx.emit(EventKind::IntentFailed, &object).await
}

fn charge(tx: &LedgerTx, intent: &Intent, method: &Method, decline: Option<Decline>) -> Charge {
    Charge {
        id: ids::new("ch"),
        created: tx.now.seconds(),
        payment_intent: intent.id.clone(),
        payment_method: method.id.clone(),
        amount: intent.amount,
        amount_refunded: 0,
        currency: intent.currency.clone(),
        status: if decline.is_some() { ChargeStatus::Failed } else { ChargeStatus::Succeeded },
        failure_code: decline.map(|decline| decline.code.to_owned()),
        failure_message: decline.map(|decline| decline.message.to_owned()),
        description: intent.description.clone(),
        metadata: intent.metadata.clone(),
    }
}
