//! Confirming a payment intent: the customer, or the account for them, says to take the money now.

use crate::http::answer::{Answer, ApiError};
use crate::http::auth::Caller;
use crate::http::execute::Operation;
use crate::http::params::Params;
use crate::rules::method_choice::{self, MethodChoice};
use crate::rules::work::Work;
use crate::rules::{charge, state};
use crate::store::{intents, methods};

/// `POST /v1/payment_intents/{id}/confirm`.
#[derive(Debug)]
pub(crate) struct Confirm {
    intent: String,
    caller: Caller,
    client_secret: Option<String>,
    method: Option<MethodChoice>,
    return_url: Option<String>,
}

impl Confirm {
    /// Reads the parameters.
    pub(crate) fn parse(intent: String, caller: Caller, params: &Params) -> Result<Self, ApiError> {
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
    async fn run(self, work: &mut Work) -> Result<Answer, ApiError> {
        let Some(mut intent) = intents::find(work.conn(), &self.intent).await? else {
            return Err(ApiError::missing("payment_intent", &self.intent, "intent"));
        };
        state::check_client_secret(&intent, self.caller, self.client_secret.as_deref())?;
        let shown = state::shown(&intent, self.caller, &work.settings.public_url);
        if !intent.status.is_open() {
            return Err(state::cannot_confirm(&intent, shown));
        }
        let method = match (&self.method, &intent.payment_method) {
            (Some(choice), _) => choice.resolve(work).await?,
            (None, Some(kept)) => methods::get(work.conn(), kept).await?,
            (None, None) => return Err(state::lacks_method().payment_intent(shown).executed()),
        };
        if self.return_url.is_some() {
            intent.return_url = self.return_url;
        }
        method_choice::check_type(&intent, &method)?;
        method_choice::check_return_url(&intent, &method, self.caller)?;
        Ok(charge::attempt(work, intent, &method, self.caller).await?)
    }
}

const KNOWN: &[&str] = &["client_secret", "payment_method", "payment_method_data", "return_url"];

/// Among them what Stripe's libraries send along from a browser.
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
