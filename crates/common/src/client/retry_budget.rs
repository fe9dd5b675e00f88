//! Retry budgets, which prevent retries from multiplying the load of an overloaded service.
//!
//! The algorithm is gRPC's retry throttling (<https://github.com/grpc/proposal/blob/master/A6-client-retries.md>): a
//! retry withdraws a token, a response deposits a tenth of one. A healthy service may be retried at any time; an
//! unavailable one receives at most a tenth more calls.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use prometheus::IntCounterVec;

use crate::telemetry::metrics::Metrics;

/// Tenths of tokens: the capacity, the cost of a retry, the deposit of a response.
const CAPACITY: u32 = 100;
const WITHDRAWAL: u32 = 10;
const DEPOSIT: u32 = 1;

/// Retry budget per service.
pub(super) struct RetryBudgets {
    tenths: Mutex<HashMap<&'static str, u32>>,
    retries: IntCounterVec,
}

impl RetryBudgets {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let help = "Retries by outcome: made, or rejected by the retry budget.";
        let retries = metrics.counter_vec("http_client_retries_total", help, &["server_address", "outcome"]);
        Self { tenths: Mutex::default(), retries }
    }

    /// Withdraws a retry of a call to `to` and returns whether the budget allows it.
    pub(super) fn withdraw(&self, to: &'static str) -> bool {
        let mut tenths = self.tenths.lock().unwrap_or_else(PoisonError::into_inner);
        let left = tenths.entry(to).or_insert(CAPACITY);
        let rest = left.checked_sub(WITHDRAWAL);
        *left = rest.unwrap_or(*left);
        let outcome = if rest.is_some() { "made" } else { "no_budget" };
        self.retries.with_label_values(&[to, outcome]).inc();
        rest.is_some()
    }

    /// Deposits the share of a response from `to`.
    pub(super) fn deposit(&self, to: &'static str) {
        let mut tenths = self.tenths.lock().unwrap_or_else(PoisonError::into_inner);
        let left = tenths.entry(to).or_insert_with(|| {
            // Exported from the start, so rates have a first value.
            for outcome in ["made", "no_budget"] {
                self.retries.with_label_values(&[to, outcome]).inc_by(0);
            }
            CAPACITY
        });
        *left = (*left + DEPOSIT).min(CAPACITY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unavailable_service_is_not_called_twice_as_often() {
        let metrics = Metrics::new();
        let budgets = RetryBudgets::new(&metrics);
        let made = (0..100).filter(|_| budgets.withdraw("order-service")).count();
        assert_eq!(made, 10);
        assert!(budgets.withdraw("user-service"), "each has a budget of its own");
        let line = "http_client_retries_total{outcome=\"no_budget\",server_address=\"order-service\"} 90";
        assert!(metrics.render().contains(line), "{}", metrics.render());
    }

    #[test]
    fn ten_responses_allow_a_retry() {
        let budgets = RetryBudgets::new(&Metrics::new());
        while budgets.withdraw("order-service") {}
        for _ in 0..9 {
            budgets.deposit("order-service");
        }
        assert!(!budgets.withdraw("order-service"));
        budgets.deposit("order-service");
        assert!(budgets.withdraw("order-service"));
        assert!(!budgets.withdraw("order-service"));
        (0..1000).for_each(|_| budgets.deposit("order-service"));
        assert_eq!((0..100).filter(|_| budgets.withdraw("order-service")).count(), 10, "no more than at first");
    }
}
