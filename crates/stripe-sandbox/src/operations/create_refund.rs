//! `POST /v1/refunds` (<https://docs.stripe.com/api/refunds/create>)

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;

use crate::faults::roll;
use crate::http::execute::{Operation, execute};
use crate::http::params::Params;
use crate::http::request::AccountOnly;
use crate::http::response::{ApiError, ApiResponse};
use crate::ids;
use crate::model::charge::{Charge, ChargeStatus};
use crate::model::currency;
use crate::model::event::EventKind;
use crate::model::json_text::JsonText;
use crate::model::refund::{Refund, RefundStatus};
use crate::model::test_methods::RefundOutcome;
use crate::state::AppState;
use crate::store::{charges, intents, methods, refunds};
use crate::transaction::LedgerTx;

const REASONS: &[&str] = &["duplicate", "fraudulent", "requested_by_customer"];
const UNSUPPORTED: &[&str] = &["currency", "customer", "origin", "refund_application_fee", "reverse_transfer"];

/// Refunds all or a part of a charge.
pub(crate) async fn handle(
    State(app): State<AppState>,
    AccountOnly(request): AccountOnly,
) -> Result<Response, ApiError> {
    let operation = CreateRefund::parse(&request.params)?;
    execute(&app, &request, operation).await
}

/// Creation of a refund.
#[derive(Debug)]
struct CreateRefund {
    intent: Option<String>,
    charge: Option<String>,
    amount: Option<i64>,
    reason: Option<String>,
    metadata: BTreeMap<String, String>,
}

impl CreateRefund {
    /// Parses the parameters.
    fn parse(params: &Params) -> Result<Self, ApiError> {
        let known = ["payment_intent", "charge", "amount", "reason", "metadata"];
        params.only(&known, &["instructions_email"], UNSUPPORTED)?;
        let intent = params.text("payment_intent")?.map(str::to_owned);
        let charge = params.text("charge")?.map(str::to_owned);
        if intent.is_none() && charge.is_none() {
            return Err(ApiError::invalid(
                "One of the following params should be provided for this request: payment_intent or charge.",
            )
            .code("parameter_missing"));
        }
        Ok(Self {
            intent,
            charge,
            amount: params.integer_from("amount", 1)?,
            reason: params.choice("reason", REASONS)?.map(str::to_owned),
            metadata: params.metadata()?,
        })
    }

    async fn charge(&self, tx: &mut LedgerTx) -> Result<Charge, ApiError> {
        let of_intent = match &self.intent {
            None => None,
            Some(id) => {
                if intents::find(tx.conn(), id).await?.is_none() {
                    return Err(ApiError::missing("payment_intent", id, "payment_intent"));
                }
                let charge = charges::find_successful(tx.conn(), id).await?;
                Some(charge.ok_or_else(|| nothing_to_refund(id))?)
            }
        };
        let Some(id) = &self.charge else {
            return of_intent.ok_or_else(|| sqlx::Error::RowNotFound.into());
        };
        let charge = charges::find(tx.conn(), id).await?.ok_or_else(|| ApiError::missing("charge", id, "charge"))?;
        if of_intent.is_some_and(|other| other.id != charge.id) {
            let message = format!("Charge {id} does not belong to the PaymentIntent provided.");
            return Err(ApiError::invalid(message).param("charge"));
        }
        if charge.status != ChargeStatus::Succeeded {
            return Err(nothing_to_refund(&charge.payment_intent));
        }
        Ok(charge)
    }
}

impl Operation for CreateRefund {
    async fn run(self, tx: &mut LedgerTx) -> Result<ApiResponse, ApiError> {
        let mut charge = self.charge(tx).await?;
        let amount = refundable(&charge, self.amount)?;
        let method = methods::get(tx.conn(), &charge.payment_method).await?;
        let outcome = match method.refund_outcome() {
            RefundOutcome::Succeeds if roll(tx.settings.faults.get().refund_fail_late) => RefundOutcome::FailsLater,
            outcome => outcome,
        };
        let (status, later) = match outcome {
            RefundOutcome::Succeeds => (RefundStatus::Succeeded, None),
            RefundOutcome::SucceedsLater => (RefundStatus::Pending, Some(RefundStatus::Succeeded)),
            RefundOutcome::FailsLater => (RefundStatus::Succeeded, Some(RefundStatus::Failed)),
        };
        let settle_at = later.map(|_| tx.now.plus(tx.settings.settlement_delay).0);
        let refund = Refund {
            id: ids::new("re"),
            created: tx.now.seconds(),
            charge: charge.id.clone(),
            payment_intent: charge.payment_intent.clone(),
            amount,
            currency: charge.currency.clone(),
            status,
            reason: self.reason,
            failure_reason: None,
            metadata: JsonText(self.metadata),
            settle_at,
            settle_as: later,
            traceparent: trace_context::traceparent(),
        };
        refunds::insert(tx.conn(), &refund).await?;
        charges::add_refunded(tx.conn(), &charge.id, amount).await?;
        charge.amount_refunded += amount;
        let object = refund.to_json();
        if status == RefundStatus::Succeeded {
            tx.emit(EventKind::ChargeRefunded, &charge.to_json(&method)).await?;
            tx.emit(EventKind::RefundUpdated, &object).await?;
        }
        Ok(ApiResponse::ok(object))
    }
}

/// Returns the requested amount, or by default all that is left; more than that is an error. Pending refunds count.
fn refundable(charge: &Charge, requested: Option<i64>) -> Result<i64, ApiError> {
    let left = charge.amount - charge.amount_refunded;
    if left <= 0 {
        return Err(ApiError::invalid(format!("Charge {} has already been refunded.", charge.id))
            .code("charge_already_refunded")
            .executed());
    }
    let amount = requested.unwrap_or(left);
    if amount > left {
        let limit = if charge.amount_refunded == 0 { "charge amount" } else { "unrefunded amount on charge" };
        let message = format!(
            "Refund amount ({}) is greater than {limit} ({})",
            currency::format(amount, &charge.currency),
            currency::format(left, &charge.currency)
        );
        return Err(ApiError::invalid(message).param("amount").executed());
    }
    Ok(amount)
}

fn nothing_to_refund(intent: &str) -> ApiError {
    let message = format!("This PaymentIntent ({intent}) does not have a successful charge to refund.");
    ApiError::invalid(message).param("payment_intent").executed()
}
