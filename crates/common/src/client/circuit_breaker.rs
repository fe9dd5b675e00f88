//! Circuit breakers: a callee that hangs must not hold up everybody who needs it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use prometheus::IntGaugeVec;

use crate::telemetry::clock::SharedClock;
use crate::telemetry::metrics::Metrics;

/// Least time that a callee has before a call counts as late, whatever time the caller had left.
pub(super) const LEAST_BUDGET: Duration = Duration::from_secs(1);
/// So many calls in a row that were late open the circuit. One that fails at once costs nobody time and does not count.
const LATE_IN_A_ROW: u32 = 5;
/// How long it stays open; then one call is let through to try.
const OPEN_FOR: TimeDelta = TimeDelta::seconds(2);

/// States as the metric has them.
const CLOSED: i64 = 0;
const HALF_OPEN: i64 = 1;
const OPEN: i64 = 2;

/// One breaker a callee. It opens for 2 s after five calls in a row that were late, then lets one through to try. Clones
/// share it. `circuit_breaker_state{server_address}` shows the state: 0 closed, 1 half-open, 2 open.
#[derive(Clone)]
pub struct Breakers {
    clock: SharedClock,
    states: Arc<Mutex<HashMap<&'static str, State>>>,
    shown: IntGaugeVec,
}

#[derive(Default)]
struct State {
    late: u32,
    shut_until: Option<DateTime<Utc>>,
    /// Whether a call is under way that tries the half-open circuit.
    probing: bool,
}

impl Breakers {
    /// All closed.
    #[must_use]
    pub fn new(clock: SharedClock, metrics: &Metrics) -> Self {
        let help = "Whether calls to a callee are let through: 0 closed, 1 half-open, 2 open.";
        let shown = metrics.gauge_vec("circuit_breaker_state", help, &["server_address"]);
        Self { clock, states: Arc::default(), shown }
    }

    /// Whether a call of `to` may be made now.
    #[must_use]
    pub fn lets_through(&self, to: &'static str) -> bool {
        self.try_acquire(to, true)
    }

    /// Whether a call of `to` may be made now. A call with less `time` than [`LEAST_BUDGET`] does not try a half-open
    /// circuit: its end would say nothing about the callee.
    pub(super) fn try_acquire_within(&self, to: &'static str, time: Duration) -> bool {
        self.try_acquire(to, time >= LEAST_BUDGET)
    }

    fn try_acquire(&self, to: &'static str, may_probe: bool) -> bool {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let state = states.entry(to).or_insert_with(|| {
            self.show(to, CLOSED);
            State::default()
        });
        let now = self.clock.now();
        match state.shut_until {
            Some(until) if now < until => false,
            Some(_) if !may_probe => false,
            Some(_) => {
                // The others wait for what comes of this one.
                state.shut_until = Some(now + OPEN_FOR);
                state.probing = true;
                self.show(to, HALF_OPEN);
                true
            }
            None => true,
        }
    }

    /// Notes whether a call of `to` was answered in time.
    pub fn heard(&self, to: &'static str, in_time: bool) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let state = states.entry(to).or_default();
        if in_time {
            *state = State::default();
            self.show(to, CLOSED);
            return;
        }
        state.late += 1;
        state.probing = false;
        if state.late >= LATE_IN_A_ROW {
            state.shut_until = Some(self.clock.now() + OPEN_FOR);
            self.show(to, OPEN);
        }
    }

    /// Notes that a call of `to` was cut short by its caller: it says nothing about the callee. If it was to try a half-open
    /// circuit, another call may.
    pub(super) fn inconclusive(&self, to: &'static str) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(state) = states.get_mut(to) else { return };
        if state.probing {
            state.probing = false;
            state.shut_until = Some(self.clock.now());
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
    fn a_service_that_hangs_is_left_alone_for_a_while() {
        let clock = ManualClock::at(DateTime::UNIX_EPOCH);
        let metrics = Metrics::new();
        let breakers = Breakers::new(clock.shared(), &metrics);
        let shows = |state: &str| {
            let line = format!("circuit_breaker_state{{server_address=\"product-service\"}} {state}\n");
            assert!(metrics.render().contains(&line), "not {line}: {}", metrics.render());
        };
        for _ in 0..LATE_IN_A_ROW {
            assert!(breakers.lets_through(ONE));
            breakers.heard(ONE, false);
        }
        assert!(!breakers.lets_through(ONE));
        shows("2");
        assert!(breakers.lets_through("user-service"), "another service is not meant");

        clock.advance(OPEN_FOR);
        assert!(breakers.lets_through(ONE), "one call tries");
        assert!(!breakers.lets_through(ONE), "the others wait for it");
        shows("1");
        breakers.heard(ONE, true);
        assert!(breakers.lets_through(ONE));
        shows("0");
    }

    #[test]
    fn half_open_circuit_is_not_used_up_by_calls_that_are_cut_short() {
        let clock = ManualClock::at(DateTime::UNIX_EPOCH);
        let breakers = Breakers::new(clock.shared(), &Metrics::new());
        (0..LATE_IN_A_ROW).for_each(|_| breakers.heard(ONE, false));
        breakers.inconclusive(ONE);
        assert!(!breakers.lets_through(ONE), "an open circuit stays open");
        clock.advance(OPEN_FOR);
        assert!(!breakers.try_acquire_within(ONE, Duration::from_millis(999)), "too little time to try");
        assert!(breakers.try_acquire_within(ONE, LEAST_BUDGET));
        assert!(!breakers.lets_through(ONE), "the others wait for it");
        breakers.inconclusive(ONE);
        assert!(breakers.lets_through(ONE), "another one tries at once");
        breakers.heard(ONE, true);
        assert!(breakers.try_acquire_within(ONE, Duration::ZERO), "a closed circuit takes every call");
    }

    #[test]
    fn an_answer_in_time_begins_the_count_anew() {
        let breakers = Breakers::new(crate::telemetry::clock::system(), &Metrics::new());
        for _ in 0..3 {
            for _ in 1..LATE_IN_A_ROW {
                breakers.heard(ONE, false);
            }
            breakers.heard(ONE, true);
        }
        assert!(breakers.lets_through(ONE));
    }
}
