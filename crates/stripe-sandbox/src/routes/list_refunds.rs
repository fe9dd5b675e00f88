//! `GET /v1/refunds` (<https://docs.stripe.com/api/refunds/list>)

use axum::extract::State;

use crate::http::answer::{Answer, ApiError};
use crate::http::list::{self, list};
use crate::http::request::AccountCall;
use crate::model::refund::Refund;
use crate::sandbox::App;
use crate::store::pages::{Filter, REFUNDS};

/// A page of refunds, newest first; those of one intent or charge where it is named.
pub(crate) async fn handle(State(app): State<App>, AccountCall(call): AccountCall) -> Result<Answer, ApiError> {
    let of = ["payment_intent", "charge"];
    call.params.only(&[&list::PARAMS[..], &of[..]].concat(), &[], &[])?;
    let mut filters = Vec::new();
    for column in of {
        if let Some(id) = call.params.text(column)? {
            filters.push(Filter::Is(column, id.to_owned()));
        }
    }
    let show = |refund: &Refund| Ok(refund.to_json());
    let page = list(&app, REFUNDS, &call.params, filters, "/v1/refunds", show).await?;
    Ok(Answer::ok(page))
}
