//! Use case: refund a payment.

use contracts::{PaymentId, RefundId};

use super::provider_calls::{ProviderOutcome, log_provider_error};
use super::{IdempotentOperation, PaymentService, ToStoredResponse};
use crate::clients::stripe::StripeError;
use crate::domain::{FencingToken, NewRefund, OrderPayments, Payment, PaymentError, RefundGrant};
use crate::error::Error;

impl PaymentService {
    /// Refunds a payment in full or in part. If the provider is unavailable, the refund stays pending and is made later.
    ///
    /// # Errors
    /// If a rule or the provider rejects the refund.
    pub(crate) async fn refund(
        &self,
        id: PaymentId,
        request: NewRefund,
        operation: IdempotentOperation<'_>,
    ) -> Result<Payment, Error> {
        let order = self.unit_of_work.order_id_by_payment(id).await?.ok_or(PaymentError::NotFound)?;
        if operation.resource::<RefundId>().is_some() {
            // An earlier attempt stored the refund and died: the reconciler sends it.
            let find = move |payments: &mut OrderPayments, _| payments.payment(id).cloned();
            return self.unit_of_work.update_idempotent(order, find, |payment| operation.complete_with(payment)).await;
        }
        let token = self.unit_of_work.new_token();
        let grant = move |payments: &mut OrderPayments, now| {
            let grant = payments.grant_refund(id, request, token, now)?;
            Ok((grant, payments.payment(id)?.clone()))
        };
        let key_update = |(grant, payment): &(RefundGrant, Payment)| match grant {
            RefundGrant::SendToProvider(refund) => operation.link_resource(refund),
            RefundGrant::RecordedOnly => operation.complete_with(payment),
        };
        let (grant, payment) = self.unit_of_work.update_idempotent(order, grant, key_update).await?;
        match grant {
            RefundGrant::RecordedOnly => Ok(payment),
            RefundGrant::SendToProvider(refund) => {
                self.send_new_refund(&payment, refund, token, operation, |payment| Ok(payment.clone())).await
            }
        }
    }

    /// Sends a refund under the lease `token`, records the result, and returns what `output` makes of the payment. A
    /// rejection does not complete the idempotency key, so that the same request can be repeated.
    pub(super) async fn send_new_refund<T: ToStoredResponse + Send>(
        &self,
        payment: &Payment,
        refund: RefundId,
        token: FencingToken,
        operation: IdempotentOperation<'_>,
        output: impl Fn(&Payment) -> Result<T, PaymentError> + Send,
    ) -> Result<T, Error> {
        let id = payment.id;
        let ProviderOutcome { result, error } = self.send_refund(payment, refund).await;
        let rejected = matches!(error, Some(StripeError::Rejected { .. }));
        let record = move |payments: &mut OrderPayments, now| {
            output(&payments.record_refund_result(id, refund, token, &result, now)?)
        };
        let key_update = |output: &T| if rejected { None } else { operation.complete_with(output) };
        let output = self.unit_of_work.update_idempotent(payment.order_id, record, key_update).await?;
        match error {
            Some(error @ StripeError::Rejected { .. }) => Err(error.into()),
            error => {
                log_provider_error(payment, error);
                Ok(output)
            }
        }
    }
}
