//! `GET /v1/events` (<https://docs.stripe.com/api/events/list>)

use axum::extract::State;

use crate::http::answer::{Answer, ApiError};
use crate::http::list::{self, list};
use crate::http::request::AccountCall;
use crate::model::event::Event;
use crate::sandbox::App;
use crate::store::pages::{EVENTS, Filter};

/// A page of events, newest first; those of one `type` or several `types` where they are named.
pub(crate) async fn handle(State(app): State<App>, AccountCall(call): AccountCall) -> Result<Answer, ApiError> {
    let known = [&list::PARAMS[..], &["type", "types"]].concat();
    call.params.only(&known, &[], &["delivery_success"])?;
    let mut filters = Vec::new();
    if let Some(kind) = call.params.text("type")? {
        filters.push(Filter::Is("type", kind.to_owned()));
    }
    if let Some(kinds) = call.params.list("types")? {
        filters.push(Filter::OneOf("type", kinds));
    }
    let show = |event: &Event| event.to_json().map_err(|error| sqlx::Error::Decode(error.into()).into());
    let page = list(&app, EVENTS, &call.params, filters, "/v1/events", show).await?;
    Ok(Answer::ok(page))
}
