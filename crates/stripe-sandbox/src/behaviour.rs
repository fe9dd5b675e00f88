//! How badly the provider behaves: by rates that are set while it runs. Real ones do all of this, seldom.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The rates. Each is a chance from 0 (never, as long as nothing is set) to 1 (always).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// A webhook is sent twice at once.
    pub webhook_double: f64,
    /// A webhook waits for a random part of `webhook_delay_ms` before it is first sent, so that later ones overtake it.
    pub webhook_delay: f64,
    /// The longest wait, in milliseconds.
    pub webhook_delay_ms: u64,
    /// A webhook is never sent.
    pub webhook_drop: f64,
    /// Beside a webhook goes one that somebody else forged: with an event of its own and a signature that does not hold.
    pub webhook_forge: f64,
    /// A webhook is signed as it should be and lies: its object has a wrong status, amount or currency.
    pub webhook_lie: f64,
    /// A request that changes something is answered with 500 before anything is done.
    pub error_before: f64,
    /// It is done, and answered with 500.
    pub error_after: f64,
    /// It is done, and not answered within any client's patience.
    pub timeout: f64,
    /// A charge that would succeed is declined.
    pub decline: f64,
    /// A refund that would succeed for good succeeds, and fails later.
    pub refund_fail_late: f64,
    /// Every request waits for so many milliseconds.
    pub latency_ms: u64,
}

impl Behaviour {
    /// Why these are no rates, if they are none.
    pub(crate) fn problem(&self) -> Option<String> {
        let rates = [
            ("webhook_double", self.webhook_double),
            ("webhook_delay", self.webhook_delay),
            ("webhook_drop", self.webhook_drop),
            ("webhook_forge", self.webhook_forge),
            ("webhook_lie", self.webhook_lie),
            ("error_before", self.error_before),
            ("error_after", self.error_after),
            ("timeout", self.timeout),
            ("decline", self.decline),
            ("refund_fail_late", self.refund_fail_late),
        ];
        let wrong = rates.into_iter().find(|(_, rate)| !(0.0..=1.0).contains(rate));
        wrong.map(|(name, rate)| format!("{name} must be from 0 to 1, not {rate}"))
    }
}

/// The behaviour as it is set at the moment.
#[derive(Debug, Default)]
pub(crate) struct Dial(RwLock<Behaviour>);

impl Dial {
    pub(crate) fn get(&self) -> Behaviour {
        *self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, behaviour: Behaviour) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = behaviour;
    }
}

/// Whether something happens that has this chance.
pub(crate) fn strikes(chance: f64) -> bool {
    chance > 0.0 && rand::random::<f64>() < chance
}

/// A random part of so many milliseconds.
pub(crate) fn part_of(millis: u64) -> Duration {
    Duration::from_millis(if millis == 0 { 0 } else { rand::random::<u64>() % millis })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_chance() {
        assert_eq!(Behaviour::default().problem(), None);
        let wrong = Behaviour { timeout: 1.5, ..Behaviour::default() };
        assert_eq!(wrong.problem().as_deref(), Some("timeout must be from 0 to 1, not 1.5"));
        assert!(Behaviour { decline: f64::NAN, ..Behaviour::default() }.problem().is_some());
        assert!((0..100).all(|_| strikes(1.0) && !strikes(0.0)));
        assert!((0..100).all(|_| part_of(7) < Duration::from_millis(7)));
        assert_eq!(part_of(0), Duration::ZERO);
    }
}
