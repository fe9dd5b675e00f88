//! What is done with payments: rules and store on one side, the provider on the other.
//!
//! Each act is the same three steps. A change of the account writes what is about to be done, with a lease. The
//! provider is asked. A second change, under the lease, writes what came of it, with the events. A process that dies in
//! between leaves a lease that runs out, and [`Till::work`] takes it up from what is stored.

use common::telemetry;
use contracts::{OrderId, PaymentId, RefundId};
use tokio::time::{Duration, Instant, sleep};

use crate::domain::{
    Account, Begin, Confirm, Granted, LeaseToken, NewPayment, NewRefund, Payment, Refusal, Report, State, Terms,
};
use crate::error::Error;
use crate::store::Ledger;
use crate::stripe::{Intent, Notice, Stripe, StripeError};

mod ask;
mod once;
mod retry;
mod work;

pub use once::Once;

use ask::Asked;

/// How often a payment that waits for the customer is replaced before somebody else is let first.
const REPLACEMENTS: usize = 3;
/// How long a confirmation waits for somebody who is at the payment, and how often it looks.
const CONFIRM_WITHIN: Duration = Duration::from_secs(9);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Takes money and gives it back. Clones share everything.
#[derive(Clone)]
pub struct Till {
    ledger: Ledger,
    stripe: Stripe,
}

/// A payment that was begun.
#[derive(Clone, Debug)]
pub struct Opened {
    /// As it is stored.
    pub payment: Payment,
    /// The provider's intent, with what the customer needs to pay it.
    pub intent: Intent,
}

impl Till {
    /// With these payments and this provider.
    #[must_use]
    pub const fn new(ledger: Ledger, stripe: Stripe) -> Self {
        Self { ledger, stripe }
    }

    /// The payments.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Begins a payment of what the order owes; one that only waits for the customer is cancelled and replaced. For a
    /// request with a key the payment is written with the key, and the answer with what came of it.
    ///
    /// # Errors
    /// If a rule refuses, or the provider does not make the intent: then the payment ends as failed or cancelled.
    pub async fn open(
        &self,
        order: OrderId,
        terms: &Terms,
        request: &NewPayment,
        once: Once<'_, Opened>,
    ) -> Result<Opened, Error> {
        if let Some(begun) = once.resource() {
            let token = self.ledger.token();
            let resume = move |account: &mut Account, now| Ok(account.resume(begun, token, now));
            if let Some(payment) = self.ledger.change(order, resume).await? {
                return self.make_intent(payment, token, once).await;
            }
        }
        for _ in 0..REPLACEMENTS {
            let token = self.ledger.token();
            let (terms, request) = (terms.clone(), request.clone());
            let rule = move |account: &mut Account, now| account.begin(terms, request, token, now);
            let keyed = |begun: &Begin| match begun {
                Begin::Opened(payment) => once.makes(&payment.id),
                Begin::Replace(_) => None,
            };
            match self.ledger.change_keyed(order, rule, keyed).await? {
                Begin::Opened(payment) => return self.make_intent(payment, token, once).await,
                Begin::Replace(payment) => {
                    let Asked { report, trouble } = self.close(&payment).await;
                    let closed = self.report(&payment, token, report).await?;
                    if closed.state.is_open() || closed.state == State::Completed {
                        return Err(trouble.map_or(Error::Refused(Refusal::InProgress), Error::Provider));
                    }
                }
            }
        }
        Err(Refusal::InProgress.into())
    }

    async fn make_intent(&self, payment: Payment, token: LeaseToken, once: Once<'_, Opened>) -> Result<Opened, Error> {
        let made = self.stripe.create_intent(&ask::new_intent(&payment)).await;
        let report = match &made {
            Ok(intent) => Report::Seen(intent.seen()),
            Err(error) => error.doubt().map_or_else(|| refused(error), Report::Doubt),
        };
        let id = payment.id;
        let rule = move |account: &mut Account, now| {
            let payment = account.report(id, token, &report, now)?;
            Ok((payment, account.is_cancelled()))
        };
        let keyed = |(payment, _): &(Payment, bool)| {
            let intent = made.as_ref().ok().filter(|_| is_begun(payment))?;
            once.answers(&Opened { payment: payment.clone(), intent: intent.clone() })
        };
        let (payment, cancelled) = self.ledger.change_keyed(payment.order_id, rule, keyed).await?;
        let intent = made?;
        if is_begun(&payment) {
            return Ok(Opened { payment, intent });
        }
        // The order was cancelled or paid while the provider was asked.
        Err(if cancelled { Refusal::OrderCancelled } else { Refusal::InProgress }.into())
    }

    /// Completes a payment that a trusted caller says was made elsewhere.
    ///
    /// # Errors
    /// If a rule refuses, or the provider cannot be asked to cancel the intent: then it completes once it can.
    pub async fn confirm(&self, id: PaymentId, transaction: &str) -> Result<Payment, Error> {
        let order = self.ledger.order_of(id).await?.ok_or(Refusal::NotFound)?;
        let deadline = Instant::now() + CONFIRM_WITHIN;
        loop {
            let token = self.ledger.token();
            let rule = move |account: &mut Account, now| account.confirm(id, transaction, token, now);
            match self.ledger.change(order, rule).await? {
                Confirm::Done(payment) => return Ok(payment),
                Confirm::Settle(payment) => {
                    let Asked { report, trouble } = self.close(&payment).await;
                    let payment = self.report(&payment, token, report).await?;
                    return match payment.state {
                        State::Completed if payment.external => Ok(payment),
                        State::Completed => Err(Refusal::AlreadyConfirmed.into()),
                        _ => Err(trouble.map_or(Error::Refused(Refusal::InProgress), Error::Provider)),
                    };
                }
                Confirm::Busy if Instant::now() < deadline => sleep(LOOK_AGAIN).await,
                Confirm::Busy => return Err(Refusal::InProgress.into()),
            }
        }
    }

    /// Gives money of a payment back. Where the provider does not answer now, the refund stays
    /// pending and is carried out later.
    ///
    /// # Errors
    /// If a rule or the provider refuses.
    pub async fn refund(&self, id: PaymentId, request: NewRefund, once: Once<'_, Payment>) -> Result<Payment, Error> {
        let order = self.ledger.order_of(id).await?.ok_or(Refusal::NotFound)?;
        if once.resource::<RefundId>().is_some() {
            // An earlier try wrote the refund and died: whoever works on what is due carries it out.
            let rule = move |account: &mut Account, _| account.payment(id).cloned();
            return self.ledger.change_keyed(order, rule, |payment| once.answers(payment)).await;
        }
        let token = self.ledger.token();
        let rule = move |account: &mut Account, now| {
            let granted = account.grant_refund(id, request, token, now)?;
            Ok((granted, account.payment(id)?.clone()))
        };
        let keyed = |(granted, payment): &(Granted, Payment)| match granted {
            Granted::Send(refund) => once.makes(refund),
            Granted::Booked => once.answers(payment),
        };
        let (granted, payment) = self.ledger.change_keyed(order, rule, keyed).await?;
        let Granted::Send(refund) = granted else { return Ok(payment) };
        self.carry_out_refund(order, &payment, refund, token, &once).await
    }

    /// Sends a refund whose lease is held under `token`, and records what came of it. A refusal is not kept under the
    /// key, so that the same request may be made again.
    async fn carry_out_refund(
        &self,
        order: OrderId,
        payment: &Payment,
        refund: RefundId,
        token: LeaseToken,
        once: &Once<'_, Payment>,
    ) -> Result<Payment, Error> {
        let id = payment.id;
        let Asked { report, trouble } = self.send_refund(payment, refund).await;
        let refused = matches!(trouble, Some(StripeError::Refused { .. }));
        let rule = move |account: &mut Account, now| account.report_refund(id, refund, token, &report, now);
        let keyed = |payment: &Payment| if refused { None } else { once.answers(payment) };
        let payment = self.ledger.change_keyed(order, rule, keyed).await?;
        match trouble {
            Some(error @ StripeError::Refused { .. }) => Err(error.into()),
            trouble => {
                work::tell(&payment, trouble);
                Ok(payment)
            }
        }
    }

    /// Notes that a webhook named an object of ours, which is fetched from the provider next; nothing if it is not about
    /// a payment of ours. What the webhook claims of the object is not applied.
    ///
    /// # Errors
    /// If the store does not answer, or too many notifications of the payment are pending.
    pub async fn hear(&self, notice: &Notice) -> Result<(), Error> {
        let trace = telemetry::traceparent();
        match notice {
            Notice::Intent { intent, payment } => {
                let mut order = self.ledger.order_of_intent(intent).await?;
                // A webhook that overtakes the answer of our own call finds its payment by the metadata.
                if let (None, Some(payment)) = (order, *payment) {
                    order = self.ledger.order_of(payment).await?;
                }
                let Some(order) = order else { return Ok(()) };
                let hint = |account: &mut Account, now| account.hint_intent(intent, *payment, trace, now);
                self.ledger.change(order, hint).await
            }
            Notice::Refund { intent } => {
                let Some(order) = self.ledger.order_of_intent(intent).await? else { return Ok(()) };
                let hint = |account: &mut Account, now| {
                    account.expect_refunds(intent, trace, now);
                    Ok(())
                };
                self.ledger.change(order, hint).await
            }
            Notice::Other => Ok(()),
        }
    }
}

/// Whether the customer can pay it, or has.
fn is_begun(payment: &Payment) -> bool {
    payment.state == State::Completed || (payment.state.is_open() && !payment.stop)
}

/// The provider refused to make an intent: the customer is not shown its words, which are for developers.
fn refused(error: &StripeError) -> Report {
    let reason = if error.is_method_unavailable() {
        "The payment method is not available"
    } else {
        "The payment provider refused the payment"
    };
    Report::Refused { reason: reason.to_owned() }
}
