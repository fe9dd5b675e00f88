//! Notices: changes of an order that are reported to its customer by mail.

use contracts::Money;
use contracts::api::{OrderPaymentStatus, OrderStatus};

use super::Order;

/// Notice of a change to the customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Notice: order placed.
    Received,
    /// Notice: total paid.
    Paid,
    /// Notice: order shipped, or given its first tracking after that.
    Shipped,
    /// Notice: order cancelled.
    Cancelled,
    /// Notice: this amount refunded.
    Refunded(Money),
}

impl Order {
    /// Returns the notices of the change from `before` to this state.
    #[must_use]
    pub fn notices_since(&self, before: &Self) -> Vec<Notice> {
        let mut notices = Vec::new();
        let refunded = |order: &Self| -> Money { order.payments.iter().map(|payment| payment.refunded_total).sum() };
        // A refund that fails makes a refunded order a paid one again, which is no payment.
        let is_covered = !before.amount_due().is_zero() && self.amount_due().is_zero();
        if is_covered && self.payment_status() == OrderPaymentStatus::Completed && self.status != OrderStatus::Cancelled
        {
            notices.push(Notice::Paid);
        }
        let became = |status| self.status == status && before.status != status;
        let is_tracked = self.tracking.is_some() && before.tracking.is_none();
        if became(OrderStatus::Shipped) || (is_tracked && self.status == OrderStatus::Shipped) {
            notices.push(Notice::Shipped);
        }
        if became(OrderStatus::Cancelled) {
            notices.push(Notice::Cancelled);
        }
        let amount = refunded(self).saturating_sub(refunded(before));
        if !amount.is_zero() {
            notices.push(Notice::Refunded(amount));
        }
        notices
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use contracts::PaymentId;
    use contracts::api::{PaymentMethod, PaymentStatus};

    use super::*;
    use crate::domain::order::tests::in_status;
    use crate::domain::{PaymentProjection, PaymentVersion, Tracking};

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn changed(order: &Order, change: impl FnOnce(&mut Order)) -> Vec<Notice> {
        let mut after = order.clone();
        change(&mut after);
        after.notices_since(order)
    }

    /// Returns a captured payment over the total of an order.
    fn captured(order: &Order) -> PaymentProjection {
        let latest = PaymentVersion {
            method: PaymentMethod::Card,
            amount: order.totals.total,
            currency: order.currency.clone(),
            status: PaymentStatus::Completed,
            version: 1,
            counts_toward_total: true,
            created_at: NOW,
            processed_at: Some(NOW),
        };
        let captured = Some(order.totals.total);
        PaymentProjection { latest: Some(latest), captured, ..PaymentProjection::empty(PaymentId::generate(NOW)) }
    }

    #[test]
    fn captured_total_is_reported_as_paid_once() {
        let order = in_status(OrderStatus::Pending);
        let mut paid = order.clone();
        paid.payments.push(captured(&order));
        paid.status = OrderStatus::Confirmed;
        assert_eq!(paid.notices_since(&order), [Notice::Paid]);
        assert!(changed(&paid, |order| order.status = OrderStatus::Processing).is_empty());
        let cancelled = in_status(OrderStatus::Cancelled);
        assert!(changed(&cancelled, |order| order.payments.push(captured(&cancelled))).is_empty(), "it is refunded");
    }

    #[test]
    fn growing_refunds_are_reported_and_failed_ones_are_not() {
        let mut order = in_status(OrderStatus::Confirmed);
        order.payments.push(captured(&order));
        let total = |cents| move |order: &mut Order| order.payments[0].refunded_total = Money::from_cents(cents);
        assert_eq!(changed(&order, total(300)), [Notice::Refunded(Money::from_cents(300))]);
        total(300)(&mut order);
        let rest = order.totals.total;
        let all = changed(&order, |order| order.payments[0].refunded_total = rest);
        assert_eq!(all, [Notice::Refunded(rest.saturating_sub(Money::from_cents(300)))]);
        order.payments[0].refunded_total = rest;
        assert!(changed(&order, total(300)).is_empty(), "a failed refund is no payment");
    }

    #[test]
    fn shipment_and_later_tracking_are_reported() {
        let tracked = |order: &mut Order| {
            order.tracking = Some(Tracking { carrier: "DHL".to_owned(), number: "1".to_owned(), url: None });
        };
        let order = in_status(OrderStatus::Processing);
        let ship = |order: &mut Order| order.status = OrderStatus::Shipped;
        assert_eq!(changed(&order, ship), [Notice::Shipped]);
        let both = |order: &mut Order| {
            ship(order);
            tracked(order);
        };
        assert_eq!(changed(&order, both), [Notice::Shipped], "in one mail");
        let mut shipped = in_status(OrderStatus::Shipped);
        assert_eq!(changed(&shipped, tracked), [Notice::Shipped]);
        tracked(&mut shipped);
        assert!(changed(&shipped, |order| order.tracking = None).is_empty());
        let corrected = |order: &mut Order| order.tracking.as_mut().unwrap().number = "2".to_owned();
        assert!(changed(&shipped, corrected).is_empty(), "a correction is shown by the order, not mailed");
        assert!(changed(&in_status(OrderStatus::Delivered), tracked).is_empty());
    }

    #[test]
    fn cancellation_is_reported() {
        let order = in_status(OrderStatus::Pending);
        assert_eq!(changed(&order, |order| order.status = OrderStatus::Cancelled), [Notice::Cancelled]);
        assert!(changed(&order, |order| order.notes = Some("x".to_owned())).is_empty());
    }
}
