//! Metrics of mails.

use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec};

use crate::database::mail_queue::MailQueueState;
use crate::telemetry::metrics::Metrics;

/// Metrics of the mails of a service.
pub(super) struct MailMetrics {
    sent: IntCounterVec,
    failed: IntCounterVec,
    rejected: IntCounterVec,
    waiting: IntGaugeVec,
    oldest: GaugeVec,
}

impl MailMetrics {
    pub(super) fn new(metrics: &Metrics, kinds: &[&str]) -> Self {
        let kind = &["kind"];
        let created = Self {
            sent: metrics.counter_vec("mail_sent_total", "Mails that were sent.", kind),
            failed: metrics.counter_vec("mail_failed_total", "Failed attempts to send a mail.", kind),
            rejected: metrics.counter_vec("mail_rejected_total", "Mails abandoned after days of rejection.", kind),
            waiting: metrics.gauge_vec("mail_waiting", "Mails that wait to be sent.", &[]),
            oldest: metrics.float_gauge_vec("mail_oldest_waiting_seconds", "Age of the oldest waiting mail.", &[]),
        };
        for kind in kinds {
            for counter in [&created.sent, &created.failed, &created.rejected] {
                let _ = counter.with_label_values(&[*kind]);
            }
        }
        created
    }

    pub(super) fn count_sent(&self, kind: &str) {
        self.sent.with_label_values(&[kind]).inc();
    }

    pub(super) fn count_failed(&self, kind: &str) {
        self.failed.with_label_values(&[kind]).inc();
    }

    pub(super) fn count_rejected(&self, kind: &str) {
        self.rejected.with_label_values(&[kind]).inc();
    }

    pub(super) fn report(&self, state: MailQueueState) {
        self.waiting.with_label_values::<&str>(&[]).set(i64::try_from(state.waiting).unwrap_or(i64::MAX));
        let oldest = u32::try_from(state.oldest_seconds).unwrap_or(u32::MAX);
        self.oldest.with_label_values::<&str>(&[]).set(f64::from(oldest));
    }
}
