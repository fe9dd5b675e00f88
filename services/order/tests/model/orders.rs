//! The model: what an order is, from the commands that it obeyed and the set of events that came.

use contracts::calls::OrderStatus::{self, Cancelled, Confirmed, Delivered, Pending, Processing, Shipped};
use contracts::calls::{OrderPaymentStatus, PaymentStatus};

use super::money::{Told, What};
use super::plan::PAYMENTS;

#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) status: OrderStatus,
    /// In cents.
    pub(crate) total: i64,
    /// The second at which it was placed.
    pub(crate) placed: i64,
    pub(crate) heard: Vec<Told>,
    /// Changes that others were told of.
    pub(crate) told: u64,
}

/// What is known of a payment from the events that came.
#[derive(Clone, Copy, Debug, Default)]
struct Payment {
    newest: Option<(i64, PaymentStatus)>,
    captured: i64,
    counted: i64,
    refunded: i64,
    /// Version of the event that `refunded` is of.
    refund_version: i64,
}

impl Payment {
    const fn is_given_back(&self) -> bool {
        self.captured > 0 && self.refunded >= self.captured
    }
}

impl Model {
    pub(crate) const fn placed(total: i64, placed: i64) -> Self {
        Self { status: Pending, total, placed, heard: Vec::new(), told: 1 }
    }

    /// Whether it may be, and is.
    pub(crate) fn cancel(&mut self, by_owner: bool) -> bool {
        let may = match self.status {
            Pending | Confirmed => true,
            Processing => !by_owner,
            Shipped | Delivered | Cancelled => false,
        };
        if may {
            self.turn(Cancelled);
        }
        may
    }

    pub(crate) fn update(&mut self, to: OrderStatus) -> bool {
        let ways: &[OrderStatus] = match self.status {
            Pending => &[Confirmed, Cancelled],
            Confirmed => &[Processing, Cancelled],
            Processing => &[Shipped, Cancelled],
            Shipped => &[Delivered],
            Delivered | Cancelled => &[],
        };
        if ways.contains(&to) {
            self.turn(to);
        }
        self.status == to
    }

    /// Nobody paid for it though it was placed at `latest` or before; at `processing` or before if the provider is
    /// processing a payment of it.
    pub(crate) fn is_unpaid(&self, latest: i64, processing: i64) -> bool {
        let latest = if self.payment_status() == OrderPaymentStatus::Processing { processing } else { latest };
        matches!(self.status, Pending | Confirmed) && self.counted() == 0 && self.placed <= latest
    }

    pub(crate) fn turn(&mut self, to: OrderStatus) {
        self.status = to;
        self.told += 1;
    }

    /// An event comes for the first time.
    pub(crate) fn hear(&mut self, told: Told) {
        self.heard.push(told);
        if self.status == Pending && self.counted() >= self.total {
            self.turn(Confirmed);
        }
    }

    fn payments(&self) -> [Payment; PAYMENTS] {
        let mut payments = [Payment::default(); PAYMENTS];
        for told in &self.heard {
            let payment = &mut payments[told.payment];
            match told.what {
                What::Changed { version, status } => {
                    if payment.newest.is_none_or(|(newest, _)| newest < version) {
                        payment.newest = Some((version, status));
                    }
                    if status == PaymentStatus::Completed {
                        payment.captured = told.amount;
                        payment.counted = if told.counts { told.amount } else { 0 };
                    }
                }
                What::Refunded { total, version, .. } => {
                    payment.captured = told.amount;
                    if version == 0 {
                        payment.refunded = payment.refunded.max(total);
                    } else if version > payment.refund_version {
                        (payment.refunded, payment.refund_version) = (total, version);
                    }
                }
                What::RefundFailed { total, version, .. } => {
                    if version > payment.refund_version {
                        (payment.refunded, payment.refund_version) = (total, version);
                    }
                }
            }
        }
        payments
    }

    pub(crate) fn captured(&self) -> i64 {
        self.payments().iter().map(|payment| payment.captured).sum()
    }

    pub(crate) fn counted(&self) -> i64 {
        self.payments().iter().map(|payment| payment.counted).sum()
    }

    pub(crate) fn refunded(&self) -> i64 {
        self.payments().iter().map(|payment| payment.refunded).sum()
    }

    pub(crate) fn payment_status(&self) -> OrderPaymentStatus {
        let payments = self.payments();
        let paid: Vec<_> = payments.iter().filter(|payment| payment.captured > 0).collect();
        // Payments were made in the order of their numbers.
        let open = payments.iter().filter(|payment| payment.newest.is_some());
        let shown = open.map(|payment| payment.newest.filter(|_| payment.captured == 0).map(|(_, status)| status));
        let shown: Vec<_> = shown.collect();
        if !paid.is_empty() && paid.iter().all(|payment| payment.is_given_back()) {
            OrderPaymentStatus::Refunded
        } else if self.counted() >= self.total {
            OrderPaymentStatus::Completed
        } else if shown.contains(&Some(PaymentStatus::Processing)) {
            OrderPaymentStatus::Processing
        } else if shown.last() == Some(&Some(PaymentStatus::Failed)) {
            OrderPaymentStatus::Failed
        } else {
            OrderPaymentStatus::Pending
        }
    }
}
