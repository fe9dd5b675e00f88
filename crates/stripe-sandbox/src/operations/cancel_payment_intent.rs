//! `POST /v1/payment_intents/{id}/cancel` (<https://docs.stripe.com/api/payment_intents/cancel>)

use axum::extract::{Path, State};
use axum::response::Response;

use crate::http::auth::Caller;
use crate::http::execute::{Operation, execute};
use crate::http::params::Params;
use crate::http::request::AccountOnly;
use crate::http::response::{ApiError, ApiResponse};
use crate::model::event::EventKind;
use crate::model::intent::IntentStatus;
use crate::operations::intent_checks;
use crate::state::AppState;
use crate::store::intents;
use crate::transaction::LedgerTx;

const REASONS: &[&str] = &["abandoned", "duplicate", "fraudulent", "requested_by_customer"];

/// Handles a request that cancels a payment intent, after which it cannot be charged.
pub(crate) async fn handle(
    State(app): State<AppState>,
    Path(id): Path<String>,
    AccountOnly(request): AccountOnly,
) -> Result<Response, ApiError> {
    let operation = Cancel::parse(id, &request.params)?;
    execute(&app, &request, operation).await
}

/// Cancellation of an intent.
#[derive(Debug)]
struct Cancel {
    intent: String,
    reason: Option<String>,
}

impl Cancel {
    /// Parses the parameters.
    fn parse(intent: String, params: &Params) -> Result<Self, ApiError> {
        params.only(&["cancellation_reason"], &[], &[])?;
        let reason = params.choice("cancellation_reason", REASONS)?;
        Ok(Self { intent, reason: reason.map(str::to_owned) })
    }
}

impl Operation for Cancel {
    async fn run(self, tx: &mut LedgerTx) -> Result<ApiResponse, ApiError> {
        let Some(mut intent) = intents::find(tx.conn(), &self.intent).await? else {
            return Err(ApiError::missing("payment_intent", &self.intent, "intent"));
        };
        if !intent.status.is_open() {
            let visible = intent_checks::visible_json(&intent, Caller::Account, &tx.settings.hosted_url);
            return Err(intent_checks::cannot_cancel(&intent, visible));
        }
        intent.status = IntentStatus::Canceled;
        intent.canceled_at = Some(tx.now.seconds());
        intent.cancellation_reason = self.reason;
        intents::update(tx.conn(), &intent).await?;
        let object = intent.to_json(&tx.settings.hosted_url);
        tx.emit(EventKind::IntentCanceled, &object).await?;
        Ok(ApiResponse::ok(object))
    }
}
