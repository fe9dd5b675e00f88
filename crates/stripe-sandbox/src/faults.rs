//! Fault injection with rates that are set at run time. Real providers have all of these faults, rarely.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Rates of injected faults. Each is a probability from 0 (never, the default) to 1 (always).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultRates {
    /// Duplicate of a webhook, sent at the same time.
    pub webhook_double: f64,
    /// Random delay of a webhook of up to `webhook_delay_ms`, so that later ones overtake it.
    pub webhook_delay: f64,
    /// Maximum delay of a webhook in milliseconds.
    pub webhook_delay_ms: u64,
    /// Loss of a webhook.
    pub webhook_drop: f64,
    /// Forged webhook beside a real one, with another event id and an invalid signature.
    pub webhook_forge: f64,
    /// Webhook with a valid signature whose object has a wrong status, amount or currency.
    pub webhook_lie: f64,
    /// Response of 500 to a mutating request, without executing it.
    pub error_before: f64,
    /// Response of 500 to a mutating request, after executing it.
    pub error_after: f64,
    /// Missing response to a mutating request within any client's time-out, after executing it.
    pub timeout: f64,
    /// Decline of a charge that would succeed.
    pub decline: f64,
    /// Later failure of a refund that would succeed.
    pub refund_fail_late: f64,
    /// Latency of every request in milliseconds.
    pub latency_ms: u64,
}

impl FaultRates {
    /// Returns the reason that the rates are invalid, if they are.
    pub(crate) fn validation_error(&self) -> Option<String> {
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
        let invalid = rates.into_iter().find(|(_, rate)| !(0.0..=1.0).contains(rate));
        invalid.map(|(name, rate)| format!("{name} must be from 0 to 1, not {rate}"))
    }
}

/// Current fault rates.
#[derive(Debug, Default)]
pub(crate) struct FaultConfig(RwLock<FaultRates>);

impl FaultConfig {
    pub(crate) fn get(&self) -> FaultRates {
        *self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, rates: FaultRates) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = rates;
    }
}

/// Returns `true` with this probability.
pub(crate) fn roll(rate: f64) -> bool {
    rate > 0.0 && rand::random::<f64>() < rate
}

/// Returns a random delay below this number of milliseconds.
pub(crate) fn random_delay(max_millis: u64) -> Duration {
    Duration::from_millis(if max_millis == 0 { 0 } else { rand::random::<u64>() % max_millis })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_is_a_probability() {
        assert_eq!(FaultRates::default().validation_error(), None);
        let invalid = FaultRates { timeout: 1.5, ..FaultRates::default() };
        assert_eq!(invalid.validation_error().as_deref(), Some("timeout must be from 0 to 1, not 1.5"));
        assert!(FaultRates { decline: f64::NAN, ..FaultRates::default() }.validation_error().is_some());
        assert!((0..100).all(|_| roll(1.0) && !roll(0.0)));
        assert!((0..100).all(|_| random_delay(7) < Duration::from_millis(7)));
        assert_eq!(random_delay(0), Duration::ZERO);
    }
}
