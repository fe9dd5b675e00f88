//! Cancelling a payment intent: no money can be taken for it any more.

use crate::http::answer::{Answer, ApiError};
use crate::http::auth::Caller;
use crate::http::execute::Operation;
use crate::http::params::Params;
use crate::model::event::EventKind;
use crate::model::intent::IntentStatus;
use crate::rules::state;
use crate::rules::work::Work;
use crate::store::intents;

const REASONS: &[&str] = &["abandoned", "duplicate", "fraudulent", "requested_by_customer"];

/// `POST /v1/payment_intents/{id}/cancel`.
#[derive(Debug)]
pub(crate) struct Cancel {
    intent: String,
    reason: Option<String>,
}

impl Cancel {
    /// Reads the parameters.
    pub(crate) fn parse(intent: String, params: &Params) -> Result<Self, ApiError> {
        params.only(&["cancellation_reason"], &[], &[])?;
        let reason = params.choice("cancellation_reason", REASONS)?;
        Ok(Self { intent, reason: reason.map(str::to_owned) })
    }
}

impl Operation for Cancel {
    async fn run(self, work: &mut Work) -> Result<Answer, ApiError> {
        let Some(mut intent) = intents::find(work.conn(), &self.intent).await? else {
            return Err(ApiError::missing("payment_intent", &self.intent, "intent"));
        };
        if !intent.status.is_open() {
            let shown = state::shown(&intent, Caller::Account, &work.settings.public_url);
            return Err(state::cannot_cancel(&intent, shown));
        }
        intent.status = IntentStatus::Canceled;
        intent.canceled_at = Some(work.now.seconds());
        intent.cancellation_reason = self.reason;
        intents::update(work.conn(), &intent).await?;
        let object = intent.to_json(&work.settings.public_url);
        work.emit(EventKind::IntentCanceled, &object).await?;
        Ok(Answer::ok(object))
    }
}
