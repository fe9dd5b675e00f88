//! Model of an order: its state as a function of the executed commands and the set of delivered events.

use contracts::api::OrderStatus::{self, Cancelled, Confirmed, Delivered, Pending, Processing, Shipped};
use contracts::api::{OrderPaymentStatus, PaymentStatus};

use super::payment_events::{EventKind, PaymentEvent};
use super::plan::PAYMENTS;

#[derive(Clone, Debug)]
pub(crate) struct OrderModel {
    pub(crate) status: OrderStatus,
    /// Total in cents.
    pub(crate) total: i64,
    /// Second of the placement.
    pub(crate) placed: i64,
    pub(crate) delivered: Vec<PaymentEvent>,
    /// Number of published events.
    pub(crate) published: u64,
}

/// State of a payment derived from the delivered events.
#[derive(Clone, Copy, Debug, Default)]
struct PaymentState {
    newest: Option<(i64, PaymentStatus)>,
    captured: i64,
    counted: i64,
    refunded: i64,
    /// Version of the event that reported `refunded`.
    refund_version: i64,
}

impl PaymentState {
    const fn is_fully_refunded(&self) -> bool {
        self.captured > 0 && self.refunded >= self.captured
    }
}

impl OrderModel {
    pub(crate) const fn placed(total: i64, placed: i64) -> Self {
        Self { status: Pending, total, placed, delivered: Vec::new(), published: 1 }
    }

    /// Cancels the order if allowed. Returns whether it did.
    pub(crate) fn cancel(&mut self, by_customer: bool) -> bool {
        let allowed = match self.status {
            Pending | Confirmed => true,
            Processing => !by_customer,
            Shipped | Delivered | Cancelled => false,
        };
        if allowed {
            self.transition_to(Cancelled);
        }
        allowed
    }

    pub(crate) fn update(&mut self, to: OrderStatus) -> bool {
        let transitions: &[OrderStatus] = match self.status {
            Pending => &[Confirmed, Cancelled],
            Confirmed => &[Processing, Cancelled],
            Processing => &[Shipped, Cancelled],
            Shipped => &[Delivered],
            Delivered | Cancelled => &[],
        };
        if transitions.contains(&to) {
            self.transition_to(to);
        }
        self.status == to
    }

    /// Returns whether the order is unpaid and was placed at `latest` or before, or at `processing` or before if the
    /// provider is processing one of its payments.
    pub(crate) fn is_unpaid(&self, latest: i64, processing: i64) -> bool {
        let latest = if self.payment_status() == OrderPaymentStatus::Processing { processing } else { latest };
        matches!(self.status, Pending | Confirmed) && self.counted() == 0 && self.placed <= latest
    }

    pub(crate) fn transition_to(&mut self, to: OrderStatus) {
        self.status = to;
        self.published += 1;
    }

    /// Applies an event that is delivered for the first time.
    pub(crate) fn apply(&mut self, event: PaymentEvent) {
        self.delivered.push(event);
        if self.status == Pending && self.counted() >= self.total {
            self.transition_to(Confirmed);
        }
    }

    fn payments(&self) -> [PaymentState; PAYMENTS] {
        let mut payments = [PaymentState::default(); PAYMENTS];
        for event in &self.delivered {
            let payment = &mut payments[event.payment];
            match event.kind {
                EventKind::Changed { version, status } => {
                    if payment.newest.is_none_or(|(newest, _)| newest < version) {
                        payment.newest = Some((version, status));
                    }
                    if status == PaymentStatus::Completed {
                        payment.captured = event.amount;
                        payment.counted = if event.counts { event.amount } else { 0 };
                    }
                }
                EventKind::Refunded { total, version, .. } => {
                    payment.captured = event.amount;
                    if version == 0 {
                        payment.refunded = payment.refunded.max(total);
                    } else if version > payment.refund_version {
                        (payment.refunded, payment.refund_version) = (total, version);
                    }
                }
                EventKind::RefundFailed { total, version, .. } => {
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
        // Payments were created in the order of their indexes.
        let open = payments.iter().filter(|payment| payment.newest.is_some());
        let shown = open.map(|payment| payment.newest.filter(|_| payment.captured == 0).map(|(_, status)| status));
        let shown: Vec<_> = shown.collect();
        if !paid.is_empty() && paid.iter().all(|payment| payment.is_fully_refunded()) {
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
