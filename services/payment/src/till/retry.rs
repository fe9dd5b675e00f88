//! Refunds that need attention: tried again, or settled by hand.

use contracts::RefundId;

use super::{Once, Till};
use crate::domain::{Account, Actor, Payment, Refusal, Retry};
use crate::error::Error;

impl Till {
    /// Tries a refund that needs attention again, after it was looked up at the provider. Where the provider does not
    /// answer the new attempt now, the refund stays pending and is carried out later.
    ///
    /// # Errors
    /// If a rule refuses, or the provider cannot be asked or refuses.
    pub async fn retry_refund(
        &self,
        refund: RefundId,
        actor: Actor,
        once: Once<'_, Payment>,
    ) -> Result<Payment, Error> {
        let (order, id) = self.ledger.order_of_refund(refund).await?.ok_or(Refusal::RefundNotFound)?;
        if once.resource::<RefundId>().is_some() {
            // An earlier try wrote the attempt and died: whoever works on what is due carries it out.
            let rule = move |account: &mut Account, _| account.payment(id).cloned();
            return self.ledger.change_keyed(order, rule, |payment| once.answers(payment)).await;
        }
        let token = self.ledger.token();
        let begin = move |account: &mut Account, now| account.begin_retry(refund, token, now);
        let payment = self.ledger.change(order, begin).await?;
        let found = match self.look_up_refund(&payment, refund).await {
            Ok(found) => found,
            Err(error) => {
                let abandon = move |account: &mut Account, now| account.abandon_retry(refund, token, now);
                self.ledger.change(order, abandon).await?;
                return Err(error.into());
            }
        };
        let rule = move |account: &mut Account, now| account.retry_refund(refund, &actor, token, found.as_ref(), now);
        let keyed = |retry: &Retry| match retry {
            Retry::Found(payment) => once.answers(payment),
            Retry::Send(_) => once.makes(&refund),
        };
        let payment = match self.ledger.change_keyed(order, rule, keyed).await? {
            Retry::Found(payment) => return Ok(payment),
            Retry::Send(payment) => payment,
        };
        self.carry_out_refund(order, &payment, refund, token, &once).await
    }

    /// Books that a refund was paid by hand; the provider is never asked for it again.
    ///
    /// # Errors
    /// If a rule refuses.
    pub async fn settle_refund(
        &self,
        refund: RefundId,
        actor: Actor,
        once: Once<'_, Payment>,
    ) -> Result<Payment, Error> {
        let (order, _) = self.ledger.order_of_refund(refund).await?.ok_or(Refusal::RefundNotFound)?;
        let rule = move |account: &mut Account, now| account.settle_refund(refund, &actor, now);
        self.ledger.change_keyed(order, rule, |payment| once.answers(payment)).await
    }
}
