//! Use case: confirm a payment made outside the provider.

use contracts::PaymentId;
use tokio::time::{Duration, Instant, sleep};

use super::PaymentService;
use super::provider_calls::ProviderOutcome;
use crate::domain::{ConfirmOutcome, OrderPayments, Payment, PaymentError, State};
use crate::error::Error;

/// Maximum wait for another worker's lease.
const LOCK_TIMEOUT: Duration = Duration::from_secs(9);
/// Interval between two attempts to acquire the lease.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

impl PaymentService {
    /// Completes a payment that a trusted caller reports as made elsewhere, and waits until the order shows it.
    ///
    /// # Errors
    /// If a rule rejects the confirmation, or the provider is unavailable for cancelling the intent; the payment then
    /// completes later.
    pub(crate) async fn confirm(&self, id: PaymentId, transaction: &str) -> Result<Payment, Error> {
        let payment = self.complete_external(id, transaction).await?;
        self.orders.wait_until_visible(payment.order_id, payment.id).await;
        Ok(payment)
    }

    async fn complete_external(&self, id: PaymentId, transaction: &str) -> Result<Payment, Error> {
        let order = self.unit_of_work.order_id_by_payment(id).await?.ok_or(PaymentError::NotFound)?;
        let deadline = Instant::now() + LOCK_TIMEOUT;
        loop {
            let token = self.unit_of_work.new_token();
            let confirm = move |payments: &mut OrderPayments, now| payments.confirm(id, transaction, token, now);
            match self.unit_of_work.update(order, confirm).await? {
                ConfirmOutcome::Confirmed(payment) => return Ok(payment),
                ConfirmOutcome::CancelIntentFirst(payment) => {
                    let ProviderOutcome { result, error } = self.cancel_intent(&payment).await;
                    let payment = self.record_result(&payment, token, result).await?;
                    return match payment.state {
                        State::Completed if payment.external => Ok(payment),
                        State::Completed => Err(PaymentError::AlreadyConfirmed.into()),
                        _ => Err(error.map_or(Error::Domain(PaymentError::InProgress), Error::Provider)),
                    };
                }
                ConfirmOutcome::Locked if Instant::now() < deadline => sleep(POLL_INTERVAL).await,
                ConfirmOutcome::Locked => return Err(PaymentError::InProgress.into()),
            }
        }
    }
}
