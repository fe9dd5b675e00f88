//! Use case: start a payment.

use common::auth::Caller;
use contracts::OrderId;
use contracts::api::{OrderStatus, OrderSummary};
use secrecy::ExposeSecret as _;

use super::provider_calls::{ProviderOutcome, new_intent};
use super::{IdempotentOperation, PaymentService};
use crate::clients::stripe::{PaymentIntent, StripeError};
use crate::domain::{
    FencingToken, IntentStatus, NewPayment, OrderPayments, OrderTerms, Payment, PaymentError, StartOutcome, State,
    SyncResult,
};
use crate::error::Error;

/// Maximum attempts to replace a pending payment before returning [`PaymentError::InProgress`].
const MAX_REPLACEMENTS: usize = 3;

/// Started payment with its intent.
#[derive(Clone, Debug)]
pub(crate) struct StartedPayment {
    /// Stored payment.
    pub(crate) payment: Payment,
    /// Provider's intent, with the data that the customer needs to pay it.
    pub(crate) intent: PaymentIntent,
    /// Page that the customer opens next, if there is one.
    pub(crate) redirect_url: Option<String>,
}

impl PaymentService {
    /// Starts a payment of what the order owes. A payment that waits for the customer is cancelled and replaced. For a
    /// request with an idempotency key, the payment commits with the key, and the result with the stored response.
    ///
    /// # Errors
    /// If the caller may not pay the order, a rule rejects the payment, or the provider does not create the intent; in the
    /// last case the payment ends as failed or cancelled.
    pub(crate) async fn start_payment(
        &self,
        caller: &Caller,
        order: OrderId,
        request: &NewPayment,
        operation: IdempotentOperation<'_>,
    ) -> Result<StartedPayment, Error> {
        let terms = OrderTerms::from(&self.find_payable_order(caller, order, request).await?);
        if let Some(started) = operation.resource() {
            let token = self.unit_of_work.new_token();
            let resume = move |payments: &mut OrderPayments, now| Ok(payments.resume(started, token, now));
            if let Some(payment) = self.unit_of_work.update(order, resume).await? {
                return self.create_intent(payment, token, operation).await;
            }
        }
        for _ in 0..MAX_REPLACEMENTS {
            let token = self.unit_of_work.new_token();
            let (terms, request) = (terms.clone(), request.clone());
            let start = move |payments: &mut OrderPayments, now| payments.start(terms, request, token, now);
            let key_update = |outcome: &StartOutcome| match outcome {
                StartOutcome::Started(payment) => operation.link_resource(&payment.id),
                StartOutcome::ReplaceExisting(_) => None,
            };
            match self.unit_of_work.update_idempotent(order, start, key_update).await? {
                StartOutcome::Started(payment) => return self.create_intent(payment, token, operation).await,
                StartOutcome::ReplaceExisting(payment) => self.cancel_existing(&payment, token).await?,
            }
        }
        Err(PaymentError::InProgress.into())
    }

    /// Fetches the order and checks that this caller may make this payment for it.
    async fn find_payable_order(
        &self,
        caller: &Caller,
        order: OrderId,
        request: &NewPayment,
    ) -> Result<OrderSummary, Error> {
        if !caller.can_act_for(request.user_id) {
            return Err(Error::NotOwnPayment);
        }
        if request.currency != *self.currency {
            return Err(Error::CurrencyMismatch(self.currency.to_string()));
        }
        let order = self.orders.find_for(order, caller).await?;
        if !caller.can_act_for(order.user_id) {
            return Err(Error::OrderNotFound);
        }
        if order.user_id != request.user_id {
            return Err(Error::NotOrderOwner);
        }
        if order.currency != request.currency {
            return Err(Error::CurrencyMismatch(order.currency));
        }
        if order.status == OrderStatus::Cancelled {
            return Err(PaymentError::OrderCancelled.into());
        }
        Ok(order)
    }

    /// Cancels an open payment, so that a new one can replace it.
    async fn cancel_existing(&self, payment: &Payment, token: FencingToken) -> Result<(), Error> {
        let ProviderOutcome { result, error } = self.cancel_intent(payment).await;
        let payment = self.record_result(payment, token, result).await?;
        if payment.state.is_open() || payment.state == State::Completed {
            return Err(error.map_or(Error::Domain(PaymentError::InProgress), Error::Provider));
        }
        Ok(())
    }

    async fn create_intent(
        &self,
        payment: Payment,
        token: FencingToken,
        operation: IdempotentOperation<'_>,
    ) -> Result<StartedPayment, Error> {
        let created = self.stripe.create_intent(&new_intent(&payment)).await;
        let result = match &created {
            Ok(intent) => SyncResult::Snapshot(intent.to_snapshot()),
            Err(error) => error.unknown_outcome().map_or_else(|| rejected(error), SyncResult::Indeterminate),
        };
        let id = payment.id;
        let record = move |payments: &mut OrderPayments, now| {
            let payment = payments.record_result(id, token, &result, now)?;
            Ok((payment, payments.is_cancelled()))
        };
        let key_update = |(payment, _): &(Payment, bool)| {
            let intent = created.as_ref().ok().filter(|_| is_payable_or_paid(payment))?;
            operation.complete_with(&self.started(payment.clone(), intent.clone()))
        };
        let (payment, cancelled) = self.unit_of_work.update_idempotent(payment.order_id, record, key_update).await?;
        let intent = created?;
        if is_payable_or_paid(&payment) {
            return Ok(self.started(payment, intent));
        }
        // The order was cancelled or paid during the provider call.
        Err(if cancelled { PaymentError::OrderCancelled } else { PaymentError::InProgress }.into())
    }

    fn started(&self, payment: Payment, intent: PaymentIntent) -> StartedPayment {
        let waits = payment.state.is_open() && intent.to_snapshot().status == IntentStatus::AwaitingCustomer;
        let hosted_page = || {
            let secret = intent.client_secret.as_ref().filter(|_| waits)?;
            self.checkout.hosted_page(&intent.id, secret.expose_secret()).map(String::from)
        };
        let redirect_url = intent.redirect_url().or_else(hosted_page);
        StartedPayment { payment, intent, redirect_url }
    }
}

/// Returns `true` if the customer can pay the payment, or has paid it.
fn is_payable_or_paid(payment: &Payment) -> bool {
    payment.state == State::Completed || (payment.state.is_open() && !payment.cancel_requested)
}

/// Returns the result of a rejected creation. The provider's message is meant for developers and not shown to customers.
fn rejected(error: &StripeError) -> SyncResult {
    let reason = if error.is_method_unavailable() {
        "The payment method is not available"
    } else {
        "The payment provider rejected the payment"
    };
    SyncResult::Rejected { reason: reason.to_owned() }
}
