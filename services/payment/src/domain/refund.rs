//! A refund of a payment.

use chrono::{DateTime, Utc};
use contracts::calls::{RefundCause, RefundStatus};
use contracts::{Money, RefundId};

use super::facts::RefundFact;
use super::work::Work;

/// Money of a payment that goes back. Its amount is held from the moment that it is written until it fails.
#[derive(Clone, Debug, PartialEq)]
pub struct Refund {
    /// Its id; the provider's object names it in its metadata.
    pub id: RefundId,
    /// How much.
    pub amount: Money,
    /// Where it is.
    pub status: RefundStatus,
    /// Why, as a kind.
    pub cause: RefundCause,
    /// Why, in somebody's words.
    pub reason: Option<String>,
    /// Whether people move the money and the provider is not asked.
    pub external: bool,
    /// The provider's id, once it is known.
    pub provider_refund: Option<String>,
    /// Why it failed.
    pub failure: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// What is to be done at the provider.
    pub work: Work,
}

impl Refund {
    /// One that is to be sent to the provider at once, or booked by people if it is external.
    #[must_use]
    pub fn new(amount: Money, cause: RefundCause, external: bool, now: DateTime<Utc>) -> Self {
        let mut work = Work::default();
        if !external {
            work.urge(now);
        }
        Self {
            id: RefundId::generate(now),
            amount,
            status: RefundStatus::Pending,
            cause,
            reason: None,
            external,
            provider_refund: None,
            failure: None,
            created_at: now,
            updated_at: now,
            work,
        }
    }

    /// Whether something is left to do at the provider.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.status == RefundStatus::Pending && !self.external
    }

    /// Whether its amount is held or given back.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.status != RefundStatus::Failed
    }

    /// The status that a fact leads to, if it is another one.
    ///
    /// A refund that the provider has made and that failed stays so: a success that is told after that is older. One
    /// that was refused before the provider made it takes what is found later.
    #[must_use]
    pub fn after(&self, fact: RefundFact) -> Option<RefundStatus> {
        let settled = self.status == RefundStatus::Failed && self.provider_refund.is_some();
        let next = match (self.status, fact) {
            (_, RefundFact::Failed) => RefundStatus::Failed,
            (_, RefundFact::Succeeded) if !settled => RefundStatus::Succeeded,
            (RefundStatus::Failed, RefundFact::Pending) if !settled => RefundStatus::Pending,
            (status, _) => status,
        };
        (next != self.status).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_and_every_fact() {
        use RefundStatus::{Failed, Pending, Succeeded};
        let now = DateTime::UNIX_EPOCH;
        #[rustfmt::skip]
        let table = [
            //          made at the provider   Pending         Succeeded        Failed
            (Pending,   false,                [None,          Some(Succeeded), Some(Failed)]),
            (Pending,   true,                 [None,          Some(Succeeded), Some(Failed)]),
            (Succeeded, true,                 [None,          None,            Some(Failed)]),
            (Failed,    true,                 [None,          None,            None]),
            (Failed,    false,                [Some(Pending), Some(Succeeded), None]),
        ];
        for (status, made, expected) in table {
            let mut refund = Refund::new(Money::from_cents(1), RefundCause::Granted, false, now);
            refund.status = status;
            refund.provider_refund = made.then(|| "re_1".to_owned());
            let facts = [RefundFact::Pending, RefundFact::Succeeded, RefundFact::Failed];
            for (fact, expected) in facts.into_iter().zip(expected) {
                assert_eq!(refund.after(fact), expected, "{status} (made: {made}) after {fact:?}");
            }
        }
    }
}
