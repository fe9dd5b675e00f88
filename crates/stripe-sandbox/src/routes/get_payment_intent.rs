//! `GET /v1/payment_intents/{id}` (<https://docs.stripe.com/api/payment_intents/retrieve>)

use axum::extract::{Path, State};

use crate::http::answer::{Answer, ApiError};
use crate::http::request::AnyCall;
use crate::rules::state;
use crate::sandbox::App;
use crate::store::intents;

/// Shows an intent; to a browser with its client secret, what a browser may see.
pub(crate) async fn handle(
    State(app): State<App>,
    Path(id): Path<String>,
    AnyCall(call): AnyCall,
) -> Result<Answer, ApiError> {
    call.params.only(&["client_secret"], &["key"], &[])?;
    let mut conn = app.store.reader.acquire().await?;
    let Some(intent) = intents::find(&mut conn, &id).await? else {
        return Err(ApiError::missing("payment_intent", &id, "intent"));
    };
    state::check_client_secret(&intent, call.caller, call.params.text("client_secret")?)?;
    Ok(Answer::ok(state::shown(&intent, call.caller, &app.settings.public_url)))
}
