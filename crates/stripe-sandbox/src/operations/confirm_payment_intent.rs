//! `POST /v1/payment_intents/{id}/confirm` (<https://docs.stripe.com/api/payment_intents/confirm>)

use axum::extract::{Path, State};
use axum::response::Response;

use crate::http::auth::Caller;
use crate::http::execute::{Operation, execute};
use crate::http::params::Params;
use crate::http::request::AnyCaller;
use crate::http::response::{ApiError, ApiResponse};
use crate::operations::method_choice::{self, MethodChoice};
use crate::operations::{charge, intent_checks};
use crate::state::AppState;
use crate::store::{intents, methods};
use crate::transaction::LedgerTx;

/// Confirms an intent, which charges its payment method. A browser may do so with the client secret.
pub(crate) async fn handle(
    State(app): State<AppState>,
    Path(id): Path<String>,
    AnyCaller(request): AnyCaller,
) -> Result<Response, ApiError> {
    let operation = Confirm::parse(id, request.caller, &request.params)?;
    execute(&app, &request, operation).await
}

/// Confirmation of an intent.
#[derive(Debug)]
struct Confirm {
    intent: String,
    caller: Caller,
    client_secret: Option<String>,
    method: Option<MethodChoice>,
    return_url: Option<String>,
}

impl Confirm {
    /// Parses the parameters.
    fn parse(intent: String, caller: Caller, params: &Params) -> Result<Self, ApiError> {
        params.only(KNOWN, IGNORED, UNSUPPORTED)?;
        Ok(Self {
            intent,
            caller,
            client_secret: params.text("client_secret")?.map(str::to_owned),
            method: MethodChoice::parse(params)?,
            return_url: method_choice::return_url(params)?,
        })
    }
}

impl Operation for Confirm {
    async fn run(self, tx: &mut LedgerTx) -> Result<ApiResponse, ApiError> {
        let Some(mut intent) = intents::find(tx.conn(), &self.intent).await? else {
            return Err(ApiError::missing("payment_intent", &self.intent, "intent"));
        };
        intent_checks::check_client_secret(&intent, self.caller, self.client_secret.as_deref())?;
        let visible = intent_checks::visible_json(&intent, self.caller, &tx.settings.hosted_url);
        if !intent.status.is_open() {
            return Err(intent_checks::cannot_confirm(&intent, visible));
        }
        let method = match (&self.method, &intent.payment_method) {
            (Some(choice), _) => choice.resolve(tx).await?,
            (None, Some(id)) => methods::get(tx.conn(), id).await?,
            (None, None) => return Err(intent_checks::missing_method().payment_intent(visible).executed()),
        };
        if self.return_url.is_some() {
            intent.return_url = self.return_url;
        }
        method_choice::check_type(&intent, &method)?;
        method_choice::check_return_url(&intent, &method, self.caller)?;
        Ok(charge::attempt(tx, intent, &method, self.caller).await?)
    }
}

const KNOWN: &[&str] = &["client_secret", "payment_method", "payment_method_data", "return_url"];

/// Parameters without an effect, some of which Stripe's libraries send from a browser.
const IGNORED: &[&str] = &[
    "amount_details",
    "client_attribution_metadata",
    "expected_payment_method_type",
    "key",
    "payment_details",
    "payment_method_options",
    "radar_options",
    "receipt_email",
    "shipping",
    "use_stripe_sdk",
];

const UNSUPPORTED: &[&str] = &[
    "allowed_payment_method_types",
    "amount_to_confirm",
    "capture_method",
    "confirmation_token",
    "error_on_requires_action",
    "excluded_payment_method_types",
    "hooks",
    "mandate",
    "mandate_data",
    "off_session",
    "payment_method_types",
    "setup_future_usage",
];
