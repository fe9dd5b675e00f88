//! What the customer did on the page that a payment method led to.

use crate::http::answer::ErrorObject;
use crate::model::intent::{Intent, IntentStatus};
use crate::rules::charge;
use crate::rules::work::Work;
use crate::store::{intents, methods};

/// Where the customer stands after the page.
#[derive(Debug)]
pub(crate) enum Authenticated {
    /// There is no such intent.
    Unknown,
    /// The intent does not wait for the page: nothing was changed.
    NotWaiting(Intent),
    /// It waited; the money was taken, or the intent wants another payment method.
    Done(Intent),
}

/// Ends the wait of `intent`: the money is taken where the customer approved.
pub(crate) async fn authenticate(work: &mut Work, intent: &str, approved: bool) -> Result<Authenticated, sqlx::Error> {
    let Some(mut intent) = intents::find(work.conn(), intent).await? else {
        return Ok(Authenticated::Unknown);
    };
    let method = match &intent.payment_method {
        Some(id) if intent.status == IntentStatus::RequiresAction => methods::get(work.conn(), id).await?,
        _ => return Ok(Authenticated::NotWaiting(intent)),
    };
    if approved {
        charge::succeed(work, &mut intent, &method).await?;
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
        charge::fail(work, &mut intent, &error).await?;
    }
    Ok(Authenticated::Done(intent))
}
