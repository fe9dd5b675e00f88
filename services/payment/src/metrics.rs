//! Payment metrics: changes, amounts, declines, and the delay between a capture and its recording.

use chrono::{DateTime, Utc};
use common::telemetry::metrics::Metrics;
use contracts::api::RefundCause;
use contracts::{Event, EventType};
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use crate::domain::{Decline, DomainMetric, State};

/// Label values of refund outcomes.
const SUCCEEDED: &str = "succeeded";
const FAILED: &str = "failed";

/// Metric update caused by a change, recorded once the change is committed.
pub(crate) enum MetricUpdate {
    /// Metric update: an event was emitted.
    Event(EventType),
    /// Metric update: an amount was captured.
    Captured { currency: String, cents: i64 },
    /// Metric update: an occurrence without an event.
    Domain(DomainMetric),
}

impl MetricUpdate {
    /// Returns the updates that an event causes.
    pub(crate) fn from_event(event: &Event) -> Vec<Self> {
        let mut updates = vec![Self::Event(event.event_type())];
        if let Event::PaymentCompleted(data) = event {
            updates.push(Self::Captured { currency: data.currency.clone(), cents: data.amount.cents() });
        }
        updates
    }
}

/// Metrics of the payment service. Clones share the registered metrics.
#[derive(Clone)]
pub(crate) struct PaymentMetrics {
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

impl PaymentMetrics {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let changes = metrics.counter_vec("payment_changes_total", "Payment events.", &["event"]);
        for kind in EventType::ALL.iter().filter(|kind| kind.as_str().starts_with("payment.")) {
            let _ = changes.with_label_values(&[kind.as_str()]);
        }
        let captured = metrics.counter_vec("payments_captured_cents_total", "Captured cents.", &["currency"]);
        let help = "Refunded cents, by cause.";
        let refunded = metrics.counter_vec("payments_refunded_cents_total", help, &["currency", "cause"]);
        let help = "Refunds by outcome, each counted once regardless of its attempts; a success that fails later counts as both.";
        let refunds = metrics.counter_vec("payment_refunds_total", help, &["cause", "outcome"]);
        for cause in RefundCause::ALL {
            for outcome in [SUCCEEDED, FAILED] {
                let _ = refunds.with_label_values(&[cause.as_str(), outcome]);
            }
        }
        let help = "Refunds whose last attempt failed and that wait for an admin.";
        let needing_attention = metrics.gauge_vec("payment_refunds_needing_attention", help, &[]);
        let needing_attention = needing_attention.with_label_values::<&str>(&[]);
        let help =
            "Refunds that were settled manually and also paid by the provider, or that exceed the captured amount.";
        let paid_twice = metrics.counter_vec("payment_refunds_paid_twice_total", help, &[]);
        let paid_twice = paid_twice.with_label_values::<&str>(&[]);
        let declined = metrics.counter_vec("payments_declined_total", "Declined payments, by reason.", &["reason"]);
        for reason in Decline::ALL {
            let _ = declined.with_label_values(&[reason.as_str()]);
        }
        let help = "Time from provider capture until the payment is recorded.";
        let settlement = metrics.histogram_vec("payment_settlement_duration_seconds", help, &[]);
        let settlement = settlement.with_label_values::<&str>(&[]);
        let open = metrics.gauge_vec("payments_open", "Open payments, by status.", &["status"]);
        let registered =
            Self { changes, captured, refunded, refunds, needing_attention, paid_twice, declined, settlement, open };
        registered.set_open_counts(&[]);
        registered
    }

    /// Registers the metrics of this currency, so that they are exported before the first payment.
    pub(crate) fn preregister_currency(&self, currency: &str) {
        let _ = self.captured.with_label_values(&[currency]);
        for cause in RefundCause::ALL {
            let _ = self.refunded.with_label_values(&[currency, cause.as_str()]);
        }
    }

    /// Records the updates of a change that was committed at `now`.
    pub(crate) fn record(&self, updates: Vec<MetricUpdate>, now: DateTime<Utc>) {
        for update in updates {
            match update {
                MetricUpdate::Event(event) => self.changes.with_label_values(&[event.as_str()]).inc(),
                MetricUpdate::Captured { currency, cents } => {
                    self.captured.with_label_values(&[currency.as_str()]).inc_by(to_unsigned(cents));
                }
                MetricUpdate::Domain(metric) => self.record_domain(metric, now),
            }
        }
    }

    fn record_domain(&self, metric: DomainMetric, now: DateTime<Utc>) {
        match metric {
            DomainMetric::Refunded { currency, cause, amount } => {
                let cents = to_unsigned(amount.cents());
                self.refunded.with_label_values(&[currency.as_str(), cause.as_str()]).inc_by(cents);
                if !amount.is_zero() {
                    self.refunds.with_label_values(&[cause.as_str(), SUCCEEDED]).inc();
                }
            }
            DomainMetric::RefundFailed(cause) => self.refunds.with_label_values(&[cause.as_str(), FAILED]).inc(),
            DomainMetric::PaidTwice => self.paid_twice.inc(),
            DomainMetric::Declined(reason) => self.declined.with_label_values(&[reason.as_str()]).inc(),
            // The provider reports whole seconds, so that the capture may seem to lie in the future.
            DomainMetric::Captured(at) => {
                self.settlement.observe((now - at).to_std().unwrap_or_default().as_secs_f64());
            }
        }
    }

    /// Sets the number of refunds that need attention.
    pub(crate) fn set_needing_attention(&self, refunds: i64) {
        self.needing_attention.set(refunds);
    }

    /// Sets the number of payments per open state; missing states have none.
    pub(crate) fn set_open_counts(&self, states: &[(State, i64)]) {
        let total = |of: &[State]| states.iter().filter(|(state, _)| of.contains(state)).map(|(_, count)| count).sum();
        self.open.with_label_values(&["pending"]).set(total(&[State::Pending]));
        self.open.with_label_values(&["processing"]).set(total(&[State::Processing, State::Settling]));
    }
}

fn to_unsigned(cents: i64) -> u64 {
    u64::try_from(cents).unwrap_or_default()
}
