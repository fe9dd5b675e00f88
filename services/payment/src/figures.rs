//! What is counted of payments: how many did what, how much money moved, why cards were declined, how soon money that
//! the provider took was in our books.

use chrono::{DateTime, Utc};
use common::metrics::Metrics;
use contracts::calls::RefundCause;
use contracts::{Event, EventType};
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use crate::domain::{Decline, Noted, State};

/// Outcomes of refunds.
const SUCCEEDED: &str = "succeeded";
const FAILED: &str = "failed";

/// What a change brought about, to be counted once it is committed.
pub(crate) enum Counted {
    /// Something happened that an event tells.
    Happened(EventType),
    /// So many cents were taken.
    Captured { currency: String, cents: i64 },
    /// What no event tells.
    Noted(Noted),
}

impl Counted {
    /// What an event of the account tells.
    pub(crate) fn of(event: &Event) -> Vec<Self> {
        let mut counted = vec![Self::Happened(event.event_type())];
        if let Event::PaymentCompleted(data) = event {
            counted.push(Self::Captured { currency: data.currency.clone(), cents: data.amount.cents() });
        }
        counted
    }
}

/// Counts. Clones share what is counted.
#[derive(Clone)]
pub(crate) struct Figures {
    changes: IntCounterVec,
    captured: IntCounterVec,
    refunded: IntCounterVec,
    refunds: IntCounterVec,
    needing_attention: IntGauge,
    paid_twice: IntCounter,
    declined: IntCounterVec,
    settlement: Histogram,
    open: IntGaugeVec,
}

impl Figures {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let changes = metrics.counter_vec("payment_changes_total", "What happened to payments.", &["event"]);
        for kind in EventType::ALL.iter().filter(|kind| kind.as_str().starts_with("payment.")) {
            let _ = changes.with_label_values(&[kind.as_str()]);
        }
        let help = "Cents that were taken.";
        let captured = metrics.counter_vec("payments_captured_cents_total", help, &["currency"]);
        let help = "Cents that went back, by why.";
        let refunded = metrics.counter_vec("payments_refunded_cents_total", help, &["currency", "cause"]);
        let help = "Refunds by outcome, each once whatever the number of attempts; one that succeeds and fails later counts as both.";
        let refunds = metrics.counter_vec("payment_refunds_total", help, &["cause", "outcome"]);
        for cause in RefundCause::ALL {
            for outcome in [SUCCEEDED, FAILED] {
                let _ = refunds.with_label_values(&[cause.as_str(), outcome]);
            }
        }
        let help = "Refunds that failed for the last time and wait for a person.";
        let needing_attention = metrics.gauge_vec("payment_refunds_needing_attention", help, &[]);
        let needing_attention = needing_attention.with_label_values::<&str>(&[]);
        let help =
            "Refunds that were settled by hand and that the provider paid too, or that exceed what was captured.";
        let paid_twice = metrics.counter_vec("payment_refunds_paid_twice_total", help, &[]);
        let paid_twice = paid_twice.with_label_values::<&str>(&[]);
        let help = "Payments that were declined, by the provider's reason.";
        let declined = metrics.counter_vec("payments_declined_total", help, &["reason"]);
        for reason in Decline::ALL {
            let _ = declined.with_label_values(&[reason.as_str()]);
        }
        let help = "Time from the provider's taking money until it is in our books.";
        let settlement = metrics.histogram_vec("payment_settlement_duration_seconds", help, &[]);
        let settlement = settlement.with_label_values::<&str>(&[]);
        let open = metrics.gauge_vec("payments_open", "Payments that have not ended, by status.", &["status"]);
        let figures =
            Self { changes, captured, refunded, refunds, needing_attention, paid_twice, declined, settlement, open };
        figures.show_open(&[]);
        figures
    }

    /// Shows money of this currency from the start.
    pub(crate) fn expect(&self, currency: &str) {
        let _ = self.captured.with_label_values(&[currency]);
        for cause in RefundCause::ALL {
            let _ = self.refunded.with_label_values(&[currency, cause.as_str()]);
        }
    }

    /// Counts what was committed at `now`.
    pub(crate) fn count(&self, counted: Vec<Counted>, now: DateTime<Utc>) {
        for one in counted {
            match one {
                Counted::Happened(event) => self.changes.with_label_values(&[event.as_str()]).inc(),
                Counted::Captured { currency, cents } => {
                    self.captured.with_label_values(&[currency.as_str()]).inc_by(whole(cents));
                }
                Counted::Noted(Noted::Refunded { currency, cause, amount }) => {
                    self.refunded.with_label_values(&[currency.as_str(), cause.as_str()]).inc_by(whole(amount.cents()));
                    if !amount.is_zero() {
                        self.refunds.with_label_values(&[cause.as_str(), SUCCEEDED]).inc();
                    }
                }
                Counted::Noted(Noted::RefundFailed(cause)) => {
                    self.refunds.with_label_values(&[cause.as_str(), FAILED]).inc();
                }
                Counted::Noted(Noted::PaidTwice) => self.paid_twice.inc(),
                Counted::Noted(Noted::Declined(reason)) => self.declined.with_label_values(&[reason.as_str()]).inc(),
                // The provider tells whole seconds, so it may seem to have been after us.
                Counted::Noted(Noted::Taken(at)) => {
                    self.settlement.observe((now - at).to_std().unwrap_or_default().as_secs_f64());
                }
            }
        }
    }

    /// So many refunds need attention now.
    pub(crate) fn show_needing_attention(&self, refunds: i64) {
        self.needing_attention.set(refunds);
    }

    /// So many payments are in these states now, and none in the other open ones.
    pub(crate) fn show_open(&self, states: &[(State, i64)]) {
        let of =
            |wanted: &[State]| states.iter().filter(|(state, _)| wanted.contains(state)).map(|(_, count)| count).sum();
        self.open.with_label_values(&["pending"]).set(of(&[State::Pending]));
        self.open.with_label_values(&["processing"]).set(of(&[State::Processing, State::Settling]));
    }
}

fn whole(cents: i64) -> u64 {
    u64::try_from(cents).unwrap_or_default()
}
