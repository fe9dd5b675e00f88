//! Circuit breakers, which prevent a hanging service from blocking its callers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use prometheus::IntGaugeVec;

use crate::telemetry::clock::SharedClock;
use crate::telemetry::metrics::Metrics;

/// Minimum time budget of a call whose timeout counts, whatever time the caller had left.
pub(super) const MIN_BUDGET: Duration = Duration::from_secs(1);
/// Consecutive timeouts that open the circuit. A call that fails immediately costs no time and does not count.
const FAILURE_THRESHOLD: u32 = 5;
/// Time that a circuit stays open before a probe.
const OPEN_FOR: TimeDelta = TimeDelta::seconds(2);

/// States in the metric.
const CLOSED: i64 = 0;
const HALF_OPEN: i64 = 1;
const OPEN: i64 = 2;

/// Circuit breaker per service. It opens for 2 s after five consecutive timeouts, then admits one probe. Clones share
/// the state. `circuit_breaker_state{server_address}` reports 0 closed, 1 half-open, 2 open.
#[derive(Clone)]
pub struct CircuitBreakers {
    clock: SharedClock,
    states: Arc<Mutex<HashMap<&'static str, State>>>,
    shown: IntGaugeVec,
}

#[derive(Default)]
struct State {
    timeouts: u32,
    open_until: Option<DateTime<Utc>>,
    /// True while a call probes the half-open circuit.
    probing: bool,
}

impl CircuitBreakers {
    /// Creates breakers that are closed.
    #[must_use]
    pub fn new(clock: SharedClock, metrics: &Metrics) -> Self {
        let help = "State of the circuit breaker per service: 0 closed, 1 half-open, 2 open.";
        let shown = metrics.gauge_vec("circuit_breaker_state", help, &["server_address"]);
        Self { clock, states: Arc::default(), shown }
    }

    /// Returns whether a call to `to` may be made now.
    #[must_use]
    pub fn try_acquire(&self, to: &'static str) -> bool {
        self.acquire(to, true)
    }

    /// Returns whether a call to `to` may be made now. A call with less `time` than [`MIN_BUDGET`] does not probe a
    /// half-open circuit, since its timeout would say nothing about the service.
    pub(super) fn try_acquire_within(&self, to: &'static str, time: Duration) -> bool {
        self.acquire(to, time >= MIN_BUDGET)
    }

    fn acquire(&self, to: &'static str, may_probe: bool) -> bool {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let state = states.entry(to).or_insert_with(|| {
            self.show(to, CLOSED);
            State::default()
        });
        let now = self.clock.now();
        match state.open_until {
            Some(until) if now < until => false,
            Some(_) if !may_probe => false,
            Some(_) => {
                // Other calls wait for the outcome of this one.
                state.open_until = Some(now + OPEN_FOR);
                state.probing = true;
                self.show(to, HALF_OPEN);
                true
            }
            None => true,
        }
    }

    /// Records whether a call to `to` received a response in time.
    pub fn record(&self, to: &'static str, in_time: bool) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let state = states.entry(to).or_default();
        if in_time {
            *state = State::default();
            self.show(to, CLOSED);
            return;
        }
        state.timeouts += 1;
        state.probing = false;
        if state.timeouts >= FAILURE_THRESHOLD {
            state.open_until = Some(self.clock.now() + OPEN_FOR);
            self.show(to, OPEN);
        }
    }

    /// Records that the caller of `to` cut its call short, which says nothing about the service. Another call may then
    /// probe a half-open circuit.
    pub(super) fn inconclusive(&self, to: &'static str) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(state) = states.get_mut(to) else { return };
        if state.probing {
            state.probing = false;
            state.open_until = Some(self.clock.now());
        }
    }

    fn show(&self, to: &str, state: i64) {
        self.shown.with_label_values(&[to]).set(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::clock::ManualClock;

    const ONE: &str = "product-service";

    #[test]
    fn hanging_service_opens_the_circuit() {
        let clock = ManualClock::at(DateTime::UNIX_EPOCH);
        let metrics = Metrics::new();
        let breakers = CircuitBreakers::new(clock.shared(), &metrics);
        let shows = |state: &str| {
            let line = format!("circuit_breaker_state{{server_address=\"product-service\"}} {state}\n");
            assert!(metrics.render().contains(&line), "not {line}: {}", metrics.render());
        };
        for _ in 0..FAILURE_THRESHOLD {
            assert!(breakers.try_acquire(ONE));
            breakers.record(ONE, false);
        }
        assert!(!breakers.try_acquire(ONE));
        shows("2");
        assert!(breakers.try_acquire("user-service"), "another service is not meant");

        clock.advance(OPEN_FOR);
        assert!(breakers.try_acquire(ONE), "one call tries");
        assert!(!breakers.try_acquire(ONE), "the others wait for it");
        shows("1");
        breakers.record(ONE, true);
        assert!(breakers.try_acquire(ONE));
        shows("0");
    }

    #[test]
    fn half_open_circuit_is_not_used_up_by_cancelled_calls() {
        let clock = ManualClock::at(DateTime::UNIX_EPOCH);
        let breakers = CircuitBreakers::new(clock.shared(), &Metrics::new());
        (0..FAILURE_THRESHOLD).for_each(|_| breakers.record(ONE, false));
        breakers.inconclusive(ONE);
        assert!(!breakers.try_acquire(ONE), "an open circuit stays open");
        clock.advance(OPEN_FOR);
        assert!(!breakers.try_acquire_within(ONE, Duration::from_millis(999)), "too little time to try");
        assert!(breakers.try_acquire_within(ONE, MIN_BUDGET));
        assert!(!breakers.try_acquire(ONE), "the others wait for it");
        breakers.inconclusive(ONE);
        assert!(breakers.try_acquire(ONE), "another one tries at once");
        breakers.record(ONE, true);
        assert!(breakers.try_acquire_within(ONE, Duration::ZERO), "a closed circuit takes every call");
    }

    #[test]
    fn response_in_time_resets_the_count() {
        let breakers = CircuitBreakers::new(crate::telemetry::clock::system(), &Metrics::new());
        for _ in 0..3 {
            for _ in 1..FAILURE_THRESHOLD {
                breakers.record(ONE, false);
            }
            breakers.record(ONE, true);
        }
        assert!(breakers.try_acquire(ONE));
    }
}
