//! Refund of a payment.

use chrono::{DateTime, Duration, Utc};
use contracts::api::{RefundCause, RefundStatus};
use contracts::{Actor, Money, OrderId, PaymentId, RefundId};

use super::error::PaymentError;
use super::lease::LeasedTask;
use super::payment::Payment;
use super::snapshots::ProviderRefundStatus;

/// Maximum attempts of a refund that is due before it waits for an admin.
pub const MAX_ATTEMPTS: u32 = 5;
/// Time after a success in which the provider may still report a failure: banks return money for up to 30 days
/// (<https://docs.stripe.com/refunds#failed-refunds>).
const WATCH_TIME: Duration = Duration::days(30);
/// Minimum delay between two checks of a succeeded refund.
const MIN_CHECK_DELAY: Duration = Duration::seconds(10);
/// Maximum delay between two checks of a succeeded refund.
const MAX_CHECK_DELAY: Duration = Duration::days(1);

/// Refund of a payment. It reserves its amount from its creation until it fails.
#[derive(Clone, Debug, PartialEq)]
pub struct Refund {
    /// Id, which the metadata of the provider's object names.
    pub id: RefundId,
    /// Amount.
    pub amount: Money,
    /// Status.
    pub status: RefundStatus,
    /// Cause of the refund.
    pub cause: RefundCause,
    /// Reason of the refund, as free text.
    pub reason: Option<String>,
    /// Set if the money is moved manually, outside the provider.
    pub external: bool,
    /// Provider's id of the refund, once known.
    pub provider_refund_id: Option<String>,
    /// Failure reason.
    pub failure_reason: Option<String>,
    /// Number of attempts at the amount due, starting at 1.
    pub attempts: u32,
    /// Set if the refund failed, is still due, and is not retried until an admin decides.
    pub needs_attention: bool,
    /// Set if an admin paid the refund outside the provider; it is never sent again.
    pub settled: bool,
    /// Set if the provider paid a settled refund too, or paid a refund beyond the captured amount.
    pub paid_twice: bool,
    /// Requesting caller; the system for refunds made by the service itself.
    pub actor: Actor,
    /// Provider's ids of failed attempts that an admin retried.
    pub previous_provider_ids: Vec<String>,
    /// Time of creation.
    pub created_at: DateTime<Utc>,
    /// Time of the last change.
    pub updated_at: DateTime<Utc>,
    /// Outstanding provider call.
    pub task: LeasedTask,
}

/// Refund with its payment.
#[derive(Clone, Debug, PartialEq)]
pub struct RefundOfPayment {
    /// Refund.
    pub refund: Refund,
    /// Id of the refunded payment.
    pub payment_id: PaymentId,
    /// Order of the payment.
    pub order_id: OrderId,
}

impl RefundOfPayment {
    /// Creates the refund of a payment with this id.
    ///
    /// # Errors
    /// [`PaymentError::RefundNotFound`].
    pub fn new(payment: &Payment, id: RefundId) -> Result<Self, PaymentError> {
        let refund = payment.refund(id).cloned().ok_or(PaymentError::RefundNotFound)?;
        Ok(Self { refund, payment_id: payment.id, order_id: payment.order_id })
    }
}

impl Refund {
    /// Creates a pending refund, which is sent to the provider at once unless it is external.
    #[must_use]
    pub fn new(amount: Money, cause: RefundCause, external: bool, now: DateTime<Utc>) -> Self {
        let mut task = LeasedTask::default();
        if !external {
            task.schedule_now(now);
        }
        Self {
            id: RefundId::generate(now),
            amount,
            status: RefundStatus::Pending,
            cause,
            reason: None,
            external,
            provider_refund_id: None,
            failure_reason: None,
            attempts: 1,
            needs_attention: false,
            settled: false,
            paid_twice: false,
            actor: Actor::System,
            previous_provider_ids: Vec::new(),
            created_at: now,
            updated_at: now,
            task,
        }
    }

    /// Returns `true` if the refund is in progress at the provider or about to be sent.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.status == RefundStatus::Pending && !self.external
    }

    /// Returns `true` if the refund is recorded with this status of the provider.
    #[must_use]
    pub fn has_provider_status(&self, status: ProviderRefundStatus) -> bool {
        let recorded = match self.status {
            RefundStatus::Pending => ProviderRefundStatus::Pending,
            RefundStatus::Succeeded => ProviderRefundStatus::Succeeded,
            RefundStatus::Failed => ProviderRefundStatus::Failed,
        };
        recorded == status && !self.settled
    }

    /// Returns `true` if the refund waits for a manual payment outside the provider.
    #[must_use]
    pub fn awaits_manual_payment(&self) -> bool {
        self.status == RefundStatus::Pending && self.external
    }

    /// Returns `true` if the refund failed, so that it no longer reserves its amount.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        self.status == RefundStatus::Failed
    }

    /// Returns the time of the next check of a succeeded refund, which may still fail: after 10 s, then after twice the
    /// time each, up to a day, for 30 days. `None` for any other refund.
    #[must_use]
    pub fn next_check_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let at_provider = self.provider_refund_id.is_some() && !self.external && !self.settled;
        let age = now - self.updated_at;
        let watched = self.status == RefundStatus::Succeeded && at_provider && age <= WATCH_TIME;
        watched.then(|| now + age.clamp(MIN_CHECK_DELAY, MAX_CHECK_DELAY))
    }

    /// Releases the lease and schedules the next call, if there is one.
    pub fn release(&mut self, now: DateTime<Utc>) {
        let next_check = self.next_check_at(now);
        self.task.release(self.is_open(), now);
        if self.task.due_at.is_none() {
            self.task.due_at = next_check;
        }
    }

    /// Returns the status after a provider status, if it changes.
    ///
    /// A refund that failed after the provider created it stays failed, unless the provider status is `fresh`: fetched
    /// after the failure was recorded. Any other success is older. A refund rejected before the provider created it takes
    /// any later status. A settled refund keeps its status.
    #[must_use]
    pub fn on_provider_status(&self, provider: ProviderRefundStatus, fresh: bool) -> Option<RefundStatus> {
        if self.settled {
            return None;
        }
        let failed_for_good = self.is_failed() && self.provider_refund_id.is_some() && !fresh;
        let next = match (self.status, provider) {
            (_, ProviderRefundStatus::Failed) => RefundStatus::Failed,
            (_, ProviderRefundStatus::Succeeded) if !failed_for_good => RefundStatus::Succeeded,
            (RefundStatus::Failed, ProviderRefundStatus::Pending) if !failed_for_good => RefundStatus::Pending,
            (status, _) => status,
        };
        (next != self.status).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_table_covers_every_status_and_provider_status() {
        use RefundStatus::{Failed, Pending, Succeeded};
        let now = DateTime::UNIX_EPOCH;
        #[rustfmt::skip]
        let table = [
            //          created at provider, fresh     Pending         Succeeded        Failed
            (Pending,   false,               false, [None,          Some(Succeeded), Some(Failed)]),
            (Pending,   true,                false, [None,          Some(Succeeded), Some(Failed)]),
            (Succeeded, true,                false, [None,          None,            Some(Failed)]),
            (Failed,    true,                false, [None,          None,            None]),
            (Failed,    true,                true,  [Some(Pending), Some(Succeeded), None]),
            (Failed,    false,               false, [Some(Pending), Some(Succeeded), None]),
        ];
        let statuses = [ProviderRefundStatus::Pending, ProviderRefundStatus::Succeeded, ProviderRefundStatus::Failed];
        for (status, created, fresh, expected) in table {
            let mut refund = Refund::new(Money::from_cents(1), RefundCause::Granted, false, now);
            refund.status = status;
            refund.provider_refund_id = created.then(|| "re_1".to_owned());
            for (provider, expected) in statuses.into_iter().zip(expected) {
                let next = refund.on_provider_status(provider, fresh);
                assert_eq!(next, expected, "{status} (created: {created}) on {provider:?}");
            }
            refund.settled = true;
            let unchanged = statuses.iter().all(|provider| refund.on_provider_status(*provider, fresh).is_none());
            assert!(unchanged, "settled manually");
        }
    }

    #[test]
    fn succeeded_refund_is_watched_for_thirty_days() {
        let start = DateTime::UNIX_EPOCH;
        let mut refund = Refund::new(Money::from_cents(1), RefundCause::Granted, false, start);
        assert_eq!(refund.next_check_at(start), None, "in progress");
        refund.status = RefundStatus::Succeeded;
        refund.provider_refund_id = Some("re_1".to_owned());
        let (mut now, mut checks) = (start, 0);
        while let Some(next) = refund.next_check_at(now) {
            assert!(next - now >= MIN_CHECK_DELAY && next - now <= MAX_CHECK_DELAY);
            (now, checks) = (next, checks + 1);
        }
        assert!(now - start > WATCH_TIME && (30..60).contains(&checks), "{checks} checks until {now}");
    }
}
