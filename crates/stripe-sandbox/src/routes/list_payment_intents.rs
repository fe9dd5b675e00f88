//! `GET /v1/payment_intents` (<https://docs.stripe.com/api/payment_intents/list>)

use axum::extract::State;

use crate::http::answer::{Answer, ApiError};
use crate::http::list::{self, list};
use crate::http::request::AccountCall;
use crate::model::intent::Intent;
use crate::sandbox::App;
use crate::store::pages::INTENTS;

/// A page of intents, newest first.
pub(crate) async fn handle(State(app): State<App>, AccountCall(call): AccountCall) -> Result<Answer, ApiError> {
    call.params.only(&list::PARAMS, &[], &["customer", "customer_account"])?;
    let public_url = &app.settings.public_url;
    let show = |intent: &Intent| Ok(intent.to_json(public_url));
    let page = list(&app, INTENTS, &call.params, Vec::new(), "/v1/payment_intents", show).await?;
    Ok(Answer::ok(page))
}
