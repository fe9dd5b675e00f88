//! Use cases: retry or settle a refund that needs attention.

use contracts::{Actor, RefundId};

use super::{IdempotentOperation, PaymentService};
use crate::domain::{OrderPayments, PaymentError, RefundOfPayment, RetryOutcome};
use crate::error::Error;

impl PaymentService {
    /// Retries a refund that needs attention, after a look-up at the provider. If the provider does not respond to the new
    /// attempt, the refund stays pending and is made later.
    ///
    /// # Errors
    /// If a rule rejects the retry, or the provider is unavailable or rejects it.
    pub(crate) async fn retry_refund(
        &self,
        refund: RefundId,
        actor: Actor,
        operation: IdempotentOperation<'_>,
    ) -> Result<RefundOfPayment, Error> {
        let (order, id) = self.unit_of_work.order_id_by_refund(refund).await?.ok_or(PaymentError::RefundNotFound)?;
        if operation.resource::<RefundId>().is_some() {
            // An earlier attempt stored the retry and died: the reconciler sends it.
            let find = move |payments: &mut OrderPayments, _| RefundOfPayment::new(payments.payment(id)?, refund);
            return self.unit_of_work.update_idempotent(order, find, |found| operation.complete_with(found)).await;
        }
        let token = self.unit_of_work.new_token();
        let begin = move |payments: &mut OrderPayments, now| payments.begin_retry(refund, token, now);
        let payment = self.unit_of_work.update(order, begin).await?;
        let found = match self.look_up_refund(&payment, refund).await {
            Ok(found) => found,
            Err(error) => {
                let abandon = move |payments: &mut OrderPayments, now| payments.abandon_retry(refund, token, now);
                self.unit_of_work.update(order, abandon).await?;
                return Err(error.into());
            }
        };
        let retry =
            move |payments: &mut OrderPayments, now| payments.retry_refund(refund, &actor, token, found.as_ref(), now);
        let key_update = |outcome: &RetryOutcome| match outcome {
            RetryOutcome::FoundAtProvider(payment) => {
                operation.complete_with(&RefundOfPayment::new(payment, refund).ok()?)
            }
            RetryOutcome::SendToProvider(_) => operation.link_resource(&refund),
        };
        match self.unit_of_work.update_idempotent(order, retry, key_update).await? {
            RetryOutcome::FoundAtProvider(payment) => Ok(RefundOfPayment::new(&payment, refund)?),
            RetryOutcome::SendToProvider(payment) => {
                let output = move |payment: &_| RefundOfPayment::new(payment, refund);
                self.send_new_refund(&payment, refund, token, operation, output).await
            }
        }
    }

    /// Records that a refund was paid manually; it is never sent to the provider again.
    ///
    /// # Errors
    /// If a rule rejects the settlement.
    pub(crate) async fn settle_refund(
        &self,
        refund: RefundId,
        actor: Actor,
        operation: IdempotentOperation<'_>,
    ) -> Result<RefundOfPayment, Error> {
        let (order, _) = self.unit_of_work.order_id_by_refund(refund).await?.ok_or(PaymentError::RefundNotFound)?;
        let settle = move |payments: &mut OrderPayments, now| {
            RefundOfPayment::new(&payments.settle_refund(refund, &actor, now)?, refund)
        };
        self.unit_of_work.update_idempotent(order, settle, |settled| operation.complete_with(settled)).await
    }
}
