//! The attempt to take an intent's money.

use serde_json::Value;

use crate::behaviour::strikes;
use crate::http::answer::{Answer, ErrorObject};
use crate::http::auth::Caller;
use crate::ids;
use crate::model::charge::{Charge, ChargeStatus};
use crate::model::event::EventKind;
use crate::model::intent::{Intent, IntentStatus};
use crate::model::json_text::JsonText;
use crate::model::method::Method;
use crate::model::test_methods::{Decline, GENERIC_DECLINE, Outcome};
use crate::rules::state;
use crate::rules::work::Work;
use crate::store::{charges, intents, methods};
use axum::http::StatusCode;

/// Charges `method` for `intent`, which is open: the money is taken, declined (402, and the intent wants another
/// method), or the customer must act first.
pub(crate) async fn attempt(
    work: &mut Work,
    mut intent: Intent,
    method: &Method,
    caller: Caller,
) -> Result<Answer, sqlx::Error> {
    methods::keep(work.conn(), method).await?;
    let outcome = match method.outcome() {
        Outcome::Succeeds if strikes(work.settings.behaviour.get().decline) => Outcome::Declined(GENERIC_DECLINE),
        outcome => outcome,
    };
    match outcome {
        Outcome::Succeeds => succeed(work, &mut intent, method).await?,
        Outcome::NeedsAction => {
            intent.status = IntentStatus::RequiresAction;
            intent.payment_method = Some(method.id.clone());
            intent.last_payment_error = None;
            intents::update(work.conn(), &intent).await?;
        }
        Outcome::Declined(decline) => return declined(work, intent, method, decline, caller).await,
    }
    let public_url = work.settings.public_url.as_str();
    Ok(Answer::ok(state::shown(&intent, caller, public_url)))
}

/// Takes the money.
pub(crate) async fn succeed(work: &mut Work, intent: &mut Intent, method: &Method) -> Result<(), sqlx::Error> {
    let charge = charge(work, intent, method, None);
    charges::insert(work.conn(), &charge).await?;
    intent.status = IntentStatus::Succeeded;
    intent.amount_received = intent.amount;
    intent.payment_method = Some(method.id.clone());
    intent.latest_charge = Some(charge.id);
    intent.last_payment_error = None;
    intents::update(work.conn(), intent).await?;
    let object = intent.to_json(&work.settings.public_url);
    work.emit(EventKind::IntentSucceeded, &object).await
}

async fn declined(
    work: &mut Work,
    mut intent: Intent,
    method: &Method,
    decline: Decline,
    caller: Caller,
) -> Result<Answer, sqlx::Error> {
    let charge = charge(work, &intent, method, Some(decline));
    charges::insert(work.conn(), &charge).await?;
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
    fail(work, &mut intent, &error).await?;
    error.payment_intent = Some(state::shown(&intent, caller, &work.settings.public_url));
    Ok(Answer { status: StatusCode::PAYMENT_REQUIRED, body: error.body() })
}

/// Sends the intent back to where it wants a payment method, and tells why.
pub(crate) async fn fail(work: &mut Work, intent: &mut Intent, error: &ErrorObject) -> Result<(), sqlx::Error> {
    let error = serde_json::to_value(error).unwrap_or(Value::Null);
    intent.status = IntentStatus::RequiresPaymentMethod;
    intent.payment_method = None;
    intent.last_payment_error = Some(JsonText(error));
    intents::update(work.conn(), intent).await?;
    let object = intent.to_json(&work.settings.public_url);
    work.emit(EventKind::IntentFailed, &object).await
}

fn charge(work: &Work, intent: &Intent, method: &Method, decline: Option<Decline>) -> Charge {
    Charge {
        id: ids::new("ch"),
        created: work.now.seconds(),
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
