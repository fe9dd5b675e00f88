//! Retry budgets: what fails because there is too much of it must not be asked for twice as often.
//!
//! The rule is that of gRPC's retry throttling (<https://github.com/grpc/proposal/blob/master/A6-client-retries.md>): a retry
//! takes a token, an answer gives a tenth of one back. A callee that is well may so be retried at any time, one that is
//! away is asked a tenth more often at the most.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use prometheus::IntCounterVec;

use crate::telemetry::metrics::Metrics;

/// Tenths of tokens: what a callee has at first and at the most, what a retry takes, what an answer gives.
const MOST: u32 = 100;
const RETRY: u32 = 10;
const ANSWER: u32 = 1;

/// One budget a callee.
pub(super) struct RetryBudgets {
    tenths: Mutex<HashMap<&'static str, u32>>,
    retries: IntCounterVec,
}

impl RetryBudgets {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let help = "Calls that failed and may be repeated, by whether the budget of their callee let them be.";
        let retries = metrics.counter_vec("http_client_retries_total", help, &["server_address", "outcome"]);
        Self { tenths: Mutex::default(), retries }
    }

    /// Whether a call of `to` may be made again; it is counted then.
    pub(super) fn take(&self, to: &'static str) -> bool {
        let mut tenths = self.tenths.lock().unwrap_or_else(PoisonError::into_inner);
        let left = tenths.entry(to).or_insert(MOST);
        let rest = left.checked_sub(RETRY);
        *left = rest.unwrap_or(*left);
        let outcome = if rest.is_some() { "made" } else { "no_budget" };
        self.retries.with_label_values(&[to, outcome]).inc();
        rest.is_some()
    }

    /// Notes that `to` answered.
    pub(super) fn answered(&self, to: &'static str) {
        let mut tenths = self.tenths.lock().unwrap_or_else(PoisonError::into_inner);
        let left = tenths.entry(to).or_insert_with(|| {
            // Shown from the start, so that a rate has something to rise from.
            for outcome in ["made", "no_budget"] {
                self.retries.with_label_values(&[to, outcome]).inc_by(0);
            }
            MOST
        });
        *left = (*left + ANSWER).min(MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callee_that_stays_away_is_not_asked_twice_as_often() {
        let metrics = Metrics::new();
        let budgets = RetryBudgets::new(&metrics);
        let made = (0..100).filter(|_| budgets.take("order-service")).count();
        assert_eq!(made, 10);
        assert!(budgets.take("user-service"), "each has a budget of its own");
        let line = "http_client_retries_total{outcome=\"no_budget\",server_address=\"order-service\"} 90";
        assert!(metrics.render().contains(line), "{}", metrics.render());
    }

    #[test]
    fn ten_answers_are_worth_a_retry() {
        let budgets = RetryBudgets::new(&Metrics::new());
        while budgets.take("order-service") {}
        for _ in 0..9 {
            budgets.answered("order-service");
        }
        assert!(!budgets.take("order-service"));
        budgets.answered("order-service");
        assert!(budgets.take("order-service"));
        assert!(!budgets.take("order-service"));
        (0..1000).for_each(|_| budgets.answered("order-service"));
        assert_eq!((0..100).filter(|_| budgets.take("order-service")).count(), 10, "no more than at first");
    }
}
