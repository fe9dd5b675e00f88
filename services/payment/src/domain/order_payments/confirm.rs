//! Confirmation of a payment made outside the provider.

use chrono::{DateTime, Utc};
use contracts::PaymentId;
use contracts::api::PaymentStatus;

use super::OrderPayments;
use crate::domain::{FencingToken, Payment, PaymentError, State};

/// Outcome of [`OrderPayments::confirm`].
#[derive(Clone, Debug, PartialEq)]
pub enum ConfirmOutcome {
    /// The payment was confirmed with this transaction before.
    Confirmed(Payment),
    /// The payment is settling: its intent is to be cancelled under the lease, then it completes.
    CancelIntentFirst(Payment),
    /// Another worker holds the lease; confirm again after its release.
    Locked,
}

impl OrderPayments {
    /// Confirms that the payment was made elsewhere, on behalf of a trusted caller. The transaction is stored first, so
    /// that the payment is completed either by it or by the provider, never by both.
    ///
    /// # Errors
    /// [`PaymentError::AlreadyConfirmed`] if the payment was completed otherwise, or [`PaymentError::NotConfirmable`] if
    /// it failed, was cancelled, or is about to be cancelled.
    pub fn confirm(
        &mut self,
        id: PaymentId,
        transaction: &str,
        token: FencingToken,
        now: DateTime<Utc>,
    ) -> Result<ConfirmOutcome, PaymentError> {
        let (index, cancelled) = (self.index(id)?, self.is_cancelled());
        let payment = &mut self.payments[index];
        let same = payment.transaction_id.as_deref() == Some(transaction);
        match payment.state {
            State::Completed if payment.external && same => return Ok(ConfirmOutcome::Confirmed(payment.clone())),
            State::Completed => return Err(PaymentError::AlreadyConfirmed),
            State::Failed | State::Cancelled => return Err(PaymentError::NotConfirmable),
            State::Settling if !same => return Err(PaymentError::AlreadyConfirmed),
            State::Pending | State::Processing if cancelled || payment.cancel_requested => {
                return Err(PaymentError::NotConfirmable);
            }
            State::Settling | State::Pending | State::Processing => {}
        }
        if !payment.task.acquire(token, now) {
            return Ok(ConfirmOutcome::Locked);
        }
        if payment.state != State::Settling {
            payment.task.polls = 0;
        }
        let previous = payment.status();
        payment.state = State::Settling;
        payment.transaction_id = Some(transaction.to_owned());
        payment.updated_at = now;
        if previous != PaymentStatus::Processing {
            self.emit_changed(index, now);
        }
        Ok(ConfirmOutcome::CancelIntentFirst(self.payments[index].clone()))
    }
}
