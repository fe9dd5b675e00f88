//! Events that the payment service publishes for the payments of a plan.

use contracts::api::PaymentStatus;

use super::plan::{Course, End, PAYMENTS, Refund};

/// Event of one of an order's payments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PaymentEvent {
    /// Index of the payment.
    pub(crate) payment: usize,
    /// Amount of the payment in cents.
    pub(crate) amount: i64,
    pub(crate) counts: bool,
    pub(crate) kind: EventKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventKind {
    Changed {
        version: i64,
        status: PaymentStatus,
    },
    Refunded {
        number: usize,
        amount: i64,
        total: i64,
        version: i64,
    },
    /// Failure of a refund that was reported as succeeded.
    RefundFailed {
        number: usize,
        amount: i64,
        total: i64,
        version: i64,
    },
}

/// Returns all events of an order's payments in the order of publication.
pub(crate) fn payment_events(courses: &[Course; PAYMENTS], total: i64) -> Vec<PaymentEvent> {
    let mut all = Vec::new();
    for (payment, course) in courses.iter().enumerate() {
        let amount = (total * course.percent / 100).max(1);
        let mut publish = |kind| all.push(PaymentEvent { payment, amount, counts: course.counts, kind });
        let mut statuses = vec![PaymentStatus::Pending];
        statuses.extend(course.processing.then_some(PaymentStatus::Processing));
        match course.end {
            Some(End::Completed) => statuses.push(PaymentStatus::Completed),
            Some(End::Failed) => statuses.push(PaymentStatus::Failed),
            Some(End::Cancelled) => statuses.push(PaymentStatus::Cancelled),
            Some(End::FailedAndCompleted) => statuses.extend([PaymentStatus::Failed, PaymentStatus::Completed]),
            None => {}
        }
        let paid = statuses.last() == Some(&PaymentStatus::Completed);
        let mut versions = 0;
        for status in statuses {
            versions += 1;
            publish(EventKind::Changed { version: versions, status });
        }
        // Refund versions continue the versions of the statuses.
        let mut newest = versions;
        let mut version = || {
            newest += i64::from(course.versioned);
            if course.versioned { newest } else { 0 }
        };
        let (mut refunded, mut last) = (0, None);
        for (number, refund) in course.refunds.iter().enumerate().filter(|_| paid) {
            let failed = last.filter(|_| course.versioned);
            let amount = match (refund, last) {
                (Refund::Of(percent), _) => (amount - refunded) * percent / 100,
                (Refund::Repeat | Refund::Fail, Some((number, amount))) => {
                    if failed.is_some() {
                        refunded -= amount;
                        publish(EventKind::RefundFailed { number, amount, total: refunded, version: version() });
                    } else {
                        // An unversioned writer does not report the failure, so the reported total does not grow.
                        refunded -= amount;
                    }
                    if matches!(refund, Refund::Fail) {
                        refunded += if failed.is_some() { 0 } else { amount };
                        last = None;
                        continue;
                    }
                    amount
                }
                (Refund::Repeat | Refund::Fail, None) => continue,
            };
            if amount > 0 {
                refunded += amount;
                last = Some((number, amount));
                publish(EventKind::Refunded { number, amount, total: refunded, version: version() });
            }
        }
    }
    all
}
