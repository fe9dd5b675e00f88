//! `GET /v1/payment_intents/{id}` (<https://docs.stripe.com/api/payment_intents/retrieve>)

use axum::extract::{Path, State};

use crate::http::answer::{Answer, ApiError};
use crate::http::auth::Caller;
use crate::http::request::AnyCall;
use crate::rules::state;
use crate::sandbox::App;
use crate::store::{charges, intents, methods};

/// Shows an intent; to a browser with its client secret, what a browser may see. `expand[]=latest_charge` shows the charge whole.
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
    let mut shown = state::shown(&intent, call.caller, &app.settings.public_url);
    let expand = call.params.list("expand")?.unwrap_or_default();
    if call.caller == Caller::Account
        && expand.iter().any(|name| name == "latest_charge")
        && let Some(charge) = charges::of(&mut conn, &intent).await?
    {
        let method = methods::get(&mut conn, &charge.payment_method).await?;
        shown["latest_charge"] = charge.to_json(&method);
    }
    Ok(Answer::ok(shown))
}
