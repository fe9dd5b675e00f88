//! Confirming a payment that was made outside the provider.

use chrono::{DateTime, Utc};
use contracts::PaymentId;
use contracts::calls::PaymentStatus;

use super::Account;
use crate::domain::{LeaseToken, Payment, Refusal, State};

/// What comes next.
#[derive(Clone, Debug, PartialEq)]
pub enum Confirm {
    /// It was confirmed with this transaction before.
    Done(Payment),
    /// It is being settled: its intent is to be cancelled under the lease, then it completes.
    Settle(Payment),
    /// Somebody is at it; try again when that is through.
    Busy,
}

impl Account {
    /// A trusted caller says that the payment was made elsewhere. The transaction is written first, so that whatever
    /// happens next ends with the payment completed by it or by the provider, never by both.
    ///
    /// # Errors
    /// If it was completed otherwise, failed or was cancelled, or is about to be cancelled.
    pub fn confirm(
        &mut self,
        id: PaymentId,
        transaction: &str,
        token: LeaseToken,
        now: DateTime<Utc>,
    ) -> Result<Confirm, Refusal> {
        let (index, cancelled) = (self.index(id)?, self.is_cancelled());
        let payment = &mut self.payments[index];
        let same = payment.transaction_id.as_deref() == Some(transaction);
        match payment.state {
            State::Completed if payment.external && same => return Ok(Confirm::Done(payment.clone())),
            State::Completed => return Err(Refusal::AlreadyConfirmed),
            State::Failed | State::Cancelled => return Err(Refusal::NotConfirmable),
            State::Settling if !same => return Err(Refusal::AlreadyConfirmed),
            State::Pending | State::Processing if cancelled || payment.stop => return Err(Refusal::NotConfirmable),
            State::Settling | State::Pending | State::Processing => {}
        }
        if !payment.work.take(token, now) {
            return Ok(Confirm::Busy);
        }
        if payment.state != State::Settling {
            payment.work.tries = 0;
        }
        let shown = payment.status();
        payment.state = State::Settling;
        payment.transaction_id = Some(transaction.to_owned());
        payment.updated_at = now;
        if shown != PaymentStatus::Processing {
            self.announce(index, now, false);
        }
        Ok(Confirm::Settle(self.payments[index].clone()))
    }
}
