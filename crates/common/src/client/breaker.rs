//! Circuit breakers: a service that hangs must not hold up everybody who needs it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::clock::SharedClock;
use crate::discovery::ServiceName;

/// So many calls in a row that were late open the circuit. One that fails at once costs nobody time and does not count.
const LATE_IN_A_ROW: u32 = 5;
/// How long it stays open; then one call is let through to try.
const OPEN_FOR: TimeDelta = TimeDelta::seconds(2);

/// One breaker a service.
pub(super) struct Breakers {
    clock: SharedClock,
    states: Mutex<HashMap<&'static str, State>>,
}

#[derive(Default)]
struct State {
    late: u32,
    shut_until: Option<DateTime<Utc>>,
}

impl Breakers {
    pub(super) fn new(clock: SharedClock) -> Self {
        Self { clock, states: Mutex::default() }
    }

    /// Whether a call may be made now.
    pub(super) fn lets_through(&self, to: ServiceName) -> bool {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(state) = states.get_mut(to.as_str()) else { return true };
        let now = self.clock.now();
        match state.shut_until {
            Some(until) if now < until => false,
            Some(_) => {
                // The others wait for what comes of this one.
                state.shut_until = Some(now + OPEN_FOR);
                true
            }
            None => true,
        }
    }

    /// Notes whether a call was answered in time.
    pub(super) fn heard(&self, to: ServiceName, in_time: bool) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        if in_time {
            states.remove(to.as_str());
            return;
        }
        let state = states.entry(to.as_str()).or_default();
        state.late += 1;
        if state.late >= LATE_IN_A_ROW {
            state.shut_until = Some(self.clock.now() + OPEN_FOR);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn a_service_that_hangs_is_left_alone_for_a_while() {
        let clock = ManualClock::at(DateTime::UNIX_EPOCH);
        let breakers = Breakers::new(clock.shared());
        for _ in 0..LATE_IN_A_ROW {
            assert!(breakers.lets_through(ServiceName::Product));
            breakers.heard(ServiceName::Product, false);
        }
        assert!(!breakers.lets_through(ServiceName::Product));
        assert!(breakers.lets_through(ServiceName::User), "another service is not meant");

        clock.advance(OPEN_FOR);
        assert!(breakers.lets_through(ServiceName::Product), "one call tries");
        assert!(!breakers.lets_through(ServiceName::Product), "the others wait for it");
        breakers.heard(ServiceName::Product, true);
        assert!(breakers.lets_through(ServiceName::Product));
    }

    #[test]
    fn an_answer_in_time_begins_the_count_anew() {
        let breakers = Breakers::new(crate::clock::system());
        for _ in 0..3 {
            for _ in 1..LATE_IN_A_ROW {
                breakers.heard(ServiceName::Order, false);
            }
            breakers.heard(ServiceName::Order, true);
        }
        assert!(breakers.lets_through(ServiceName::Order));
    }
}
