//! `GET /v1/payment_intents/{id}` (<https://docs.stripe.com/api/payment_intents/retrieve>)

use axum::extract::{Path, State};

use crate::http::auth::Caller;
use crate::http::request::AnyCaller;
use crate::http::response::{ApiError, ApiResponse};
use crate::operations::intent_checks;
use crate::state::AppState;
use crate::store::{charges, intents, methods};

/// Returns an intent, to a browser with the client secret only its public fields. `expand[]=latest_charge` includes the
/// charge.
pub(crate) async fn handle(
    State(app): State<AppState>,
    Path(id): Path<String>,
    AnyCaller(request): AnyCaller,
) -> Result<ApiResponse, ApiError> {
    request.params.only(&["client_secret"], &["key"], &[])?;
    let mut conn = app.store.reader.acquire().await?;
    let Some(intent) = intents::find(&mut conn, &id).await? else {
        return Err(ApiError::missing("payment_intent", &id, "intent"));
    };
    intent_checks::check_client_secret(&intent, request.caller, request.params.text("client_secret")?)?;
    let mut visible = intent_checks::visible_json(&intent, request.caller, &app.settings.hosted_url);
    let expand = request.params.list("expand")?.unwrap_or_default();
    if request.caller == Caller::Account
        && expand.iter().any(|name| name == "latest_charge")
        && let Some(charge) = charges::find_latest(&mut conn, &intent).await?
    {
        let method = methods::get(&mut conn, &charge.payment_method).await?;
        visible["latest_charge"] = charge.to_json(&method);
    }
    Ok(ApiResponse::ok(visible))
}
