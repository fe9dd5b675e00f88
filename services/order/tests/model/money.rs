//! The events that payments' lives cause, as the payment service would tell of them.

use contracts::calls::PaymentStatus;

use super::plan::{End, Life, PAYMENTS, Refund};

/// An event about one of an order's payments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// Which of the order's payments.
    pub(crate) payment: usize,
    /// What was or is asked for, in cents.
    pub(crate) amount: i64,
    pub(crate) counts: bool,
    pub(crate) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
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
    /// A refund that was told of failed later.
    RefundFailed {
        number: usize,
        amount: i64,
        total: i64,
        version: i64,
    },
}

/// All events of an order's payments, as they are caused.
pub(crate) fn told(lives: &[Life; PAYMENTS], total: i64) -> Vec<Told> {
    let mut all = Vec::new();
    for (payment, life) in lives.iter().enumerate() {
        let amount = (total * life.percent / 100).max(1);
        let mut tell = |what| all.push(Told { payment, amount, counts: life.counts, what });
        let mut statuses = vec![PaymentStatus::Pending];
        statuses.extend(life.processing.then_some(PaymentStatus::Processing));
        match life.end {
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
            tell(What::Changed { version: versions, status });
        }
        // The refunds count on where the statuses ended.
        let mut newest = versions;
        let mut version = || {
            newest += i64::from(life.versioned);
            if life.versioned { newest } else { 0 }
        };
        let (mut gone, mut last) = (0, None);
        for (number, refund) in life.refunds.iter().enumerate().filter(|_| paid) {
            let failed = last.filter(|_| life.versioned);
            let amount = match (refund, last) {
                (Refund::Of(percent), _) => (amount - gone) * percent / 100,
                (Refund::Again | Refund::Fail, Some((number, amount))) => {
                    if failed.is_some() {
                        gone -= amount;
                        tell(What::RefundFailed { number, amount, total: gone, version: version() });
                    } else {
                        // What an older writer told to have gone back stays told: the sum does not grow.
                        gone -= amount;
                    }
                    if matches!(refund, Refund::Fail) {
                        gone += if failed.is_some() { 0 } else { amount };
                        last = None;
                        continue;
                    }
                    amount
                }
                (Refund::Again | Refund::Fail, None) => continue,
            };
            if amount > 0 {
                gone += amount;
                last = Some((number, amount));
                tell(What::Refunded { number, amount, total: gone, version: version() });
            }
        }
    }
    all
}
