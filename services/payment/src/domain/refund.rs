//! A refund of a payment.

use chrono::{DateTime, Duration, Utc};
use contracts::calls::{RefundCause, RefundStatus};
use contracts::{Money, RefundId};

use super::actor::Actor;
use super::facts::RefundFact;
use super::work::Work;

/// Attempts to give back what is owed before a person has to decide.
pub const MAX_ATTEMPTS: u32 = 5;
/// Time after a success in which the provider may still report a failure: banks return money for up to 30 days
/// (<https://docs.stripe.com/refunds#failed-refunds>).
const WATCH_TIME: Duration = Duration::days(30);
/// Shortest and longest time between two looks at a refund that has succeeded.
const SHORTEST_WATCH: Duration = Duration::seconds(10);
const LONGEST_WATCH: Duration = Duration::days(1);

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
    /// Number of the attempt of what is owed, from 1.
    pub attempts: u32,
    /// Whether it failed, is owed, and is not made again until a person decides.
    pub needs_attention: bool,
    /// Whether a person paid it outside the provider: it is never sent again.
    pub settled: bool,
    /// Whether the provider paid it too, although it was settled; or paid it as another refund, beyond what was captured.
    pub paid_twice: bool,
    /// Who asked for it; `None` where the service itself did.
    pub actor: Option<Actor>,
    /// The provider's ids of attempts that failed and were repeated by a person.
    pub former: Vec<String>,
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
            attempts: 1,
            needs_attention: false,
            settled: false,
            paid_twice: false,
            actor: None,
            former: Vec::new(),
            created_at: now,
            updated_at: now,
            work,
        }
    }

    /// Whether it is under way at the provider, or about to be.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.status == RefundStatus::Pending && !self.external
    }

    /// Returns when to look at a refund that has succeeded again, since it may still fail: after 10 s, then after twice
    /// the time each, up to a day, for 30 days. `None` for any other.
    #[must_use]
    pub fn next_look(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let at_provider = self.provider_refund.is_some() && !self.external && !self.settled;
        let age = now - self.updated_at;
        let watched = self.status == RefundStatus::Succeeded && at_provider && age <= WATCH_TIME;
        watched.then(|| now + age.clamp(SHORTEST_WATCH, LONGEST_WATCH))
    }

    /// Ends the work on it for now, and plans the next one if there is to be one.
    pub fn release(&mut self, now: DateTime<Utc>) {
        let next = self.next_look(now);
        self.work.release(self.is_open(), now);
        if self.work.due_at.is_none() {
            self.work.due_at = next;
        }
    }

    /// Whether its amount is held or given back.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.status != RefundStatus::Failed
    }

    /// The status that a fact leads to, if it is another one.
    ///
    /// A refund that the provider has made and that failed stays so, unless the fact is `fresh`: asked for after the
    /// failure was recorded. Any other success is older. One that was refused before the provider made it takes what is
    /// found later. One that was settled by hand keeps its status.
    #[must_use]
    pub fn after(&self, fact: RefundFact, fresh: bool) -> Option<RefundStatus> {
        if self.settled {
            return None;
        }
        let settled = self.status == RefundStatus::Failed && self.provider_refund.is_some() && !fresh;
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
            //          made at the provider, fresh    Pending         Succeeded        Failed
            (Pending,   false,                false, [None,          Some(Succeeded), Some(Failed)]),
            (Pending,   true,                 false, [None,          Some(Succeeded), Some(Failed)]),
            (Succeeded, true,                 false, [None,          None,            Some(Failed)]),
            (Failed,    true,                 false, [None,          None,            None]),
            (Failed,    true,                 true,  [Some(Pending), Some(Succeeded), None]),
            (Failed,    false,                false, [Some(Pending), Some(Succeeded), None]),
        ];
        let facts = [RefundFact::Pending, RefundFact::Succeeded, RefundFact::Failed];
        for (status, made, fresh, expected) in table {
            let mut refund = Refund::new(Money::from_cents(1), RefundCause::Granted, false, now);
            refund.status = status;
            refund.provider_refund = made.then(|| "re_1".to_owned());
            for (fact, expected) in facts.into_iter().zip(expected) {
                assert_eq!(refund.after(fact, fresh), expected, "{status} (made: {made}) after {fact:?}");
            }
            refund.settled = true;
            assert!(facts.iter().all(|fact| refund.after(*fact, fresh).is_none()), "settled by hand");
        }
    }

    #[test]
    fn succeeded_refund_is_watched_for_thirty_days() {
        let start = DateTime::UNIX_EPOCH;
        let mut refund = Refund::new(Money::from_cents(1), RefundCause::Granted, false, start);
        assert_eq!(refund.next_look(start), None, "it is under way");
        refund.status = RefundStatus::Succeeded;
        refund.provider_refund = Some("re_1".to_owned());
        let (mut now, mut looks) = (start, 0);
        while let Some(next) = refund.next_look(now) {
            assert!(next - now >= SHORTEST_WATCH && next - now <= LONGEST_WATCH);
            (now, looks) = (next, looks + 1);
        }
        assert!(now - start > WATCH_TIME && (30..60).contains(&looks), "{looks} looks until {now}");
    }
}
