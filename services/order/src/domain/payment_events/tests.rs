use OrderPaymentStatus as Paid;
use PaymentStatus as Status;
use contracts::api::{OrderPaymentStatus, PaymentMethod, PaymentStatus, RefundCause};
use contracts::event::OrderUpdated;
use contracts::{Actor, Money, RefundId};

use chrono::TimeDelta;

use super::*;
use crate::domain::order::tests::{at, order};
use crate::domain::{ACCOUNT_DELETED, MAX_PROCESSING_WAIT, Role};

/// Returns an event of a payment over the total of the order.
fn changed(order: &Order, id: PaymentId, version: i64, status: Status) -> PaymentChanged {
    PaymentChanged {
        payment_id: id,
        order_id: order.id,
        user_id: order.user_id,
        amount: order.totals.total,
        currency: "USD".to_owned(),
        method: PaymentMethod::Card,
        status,
        version,
        counts: true,
        failure_reason: None,
        actor: Actor::System,
        created_at: at(1),
        timestamp: at(1 + version),
    }
}

fn refunded(order: &Order, id: PaymentId, cents: i64, total: i64) -> PaymentRefunded {
    PaymentRefunded {
        payment_id: id,
        refund_id: RefundId::generate(at(5)),
        order_id: order.id,
        user_id: order.user_id,
        amount: order.totals.total,
        refund_amount: Money::from_cents(cents),
        refunded_total: Money::from_cents(total),
        version: 0,
        cause: RefundCause::Granted,
        reason: None,
        outside: false,
        actor: Actor::System,
        timestamp: at(5),
    }
}

fn id() -> PaymentId {
    PaymentId::generate(at(1))
}

fn state(order: &Order) -> (OrderStatus, Paid, Vec<Option<Status>>, i64) {
    let payments = order.payments.iter().map(PaymentProjection::status).collect();
    let refunded: Money = order.payments.iter().map(|payment| payment.refunded_total).sum();
    (order.status, order.payment_status(), payments, refunded.cents())
}

#[test]
fn pending_order_is_confirmed_when_paid() {
    let (mut order, id) = (order(), id());
    assert!(order.apply_payment_event(&changed(&order.clone(), id, 1, Status::Pending), at(2)).is_empty());
    let events = order.apply_payment_event(&changed(&order.clone(), id, 2, Status::Completed), at(3));
    let expected = OrderUpdated { order_id: order.id, status: OrderStatus::Confirmed, timestamp: at(3) };
    assert_eq!(events, [Event::OrderUpdated(expected)]);
    assert_eq!(state(&order), (OrderStatus::Confirmed, Paid::Completed, vec![Some(Status::Completed)], 0));
    assert_eq!(order.payments[0].latest.as_ref().unwrap().processed_at, Some(at(3)));
    assert!(order.amount_due().is_zero());
}

#[test]
fn manually_confirmed_order_is_not_confirmed_again() {
    let mut order = order();
    order.transition_to(OrderStatus::Confirmed, at(1));
    assert!(order.apply_payment_event(&changed(&order.clone(), id(), 1, Status::Completed), at(3)).is_empty());
    assert_eq!(order.payment_status(), Paid::Completed);
    assert!(order.cancel_if_overdue(TimeDelta::zero(), at(9)).is_empty(), "the order is paid");
    assert!(order.cancel_unpaid(ACCOUNT_DELETED, at(9)).is_empty(), "the order is paid");
    assert_eq!(order.payment_due_at(TimeDelta::zero()), None);
}

#[test]
fn deadline_is_extended_while_the_provider_is_processing() {
    let (mut order, id, deadline) = (order(), id(), TimeDelta::seconds(60));
    order.apply_payment_event(&changed(&order.clone(), id, 1, Status::Processing), at(2));
    assert_eq!(order.payment_due_at(deadline), Some(at(0) + MAX_PROCESSING_WAIT));
    assert_eq!(
        order.payment_due_at(TimeDelta::days(2)),
        Some(at(0) + TimeDelta::days(2)),
        "the deadline is never shortened"
    );
    assert!(order.cancel_if_overdue(deadline, at(60)).is_empty());
    let mut settled = order.clone();
    settled.apply_payment_event(&changed(&order, id, 2, Status::Failed), at(61));
    assert_eq!(settled.payment_due_at(deadline), Some(at(60)));
    assert!(!settled.cancel_if_overdue(deadline, at(61)).is_empty());
    assert!(!order.cancel_if_overdue(deadline, at(0) + MAX_PROCESSING_WAIT).is_empty(), "the wait is bounded");
}

#[test]
fn payment_of_a_cancelled_order_does_not_reactivate_it() {
    let (mut order, id) = (order(), id());
    order.cancel(Role::Customer, None, at(1)).unwrap();
    let late_payment = PaymentChanged { counts: false, ..changed(&order, id, 1, Status::Completed) };
    assert!(order.apply_payment_event(&late_payment, at(2)).is_empty());
    assert_eq!(state(&order).0, OrderStatus::Cancelled);
    let total = order.totals.total.cents();
    order.apply_refund_event(&refunded(&order.clone(), id, total, total), at(3));
    assert_eq!(state(&order), (OrderStatus::Cancelled, Paid::Refunded, vec![Some(Status::Refunded)], total));
}

#[test]
fn payment_that_does_not_count_does_not_confirm_the_order() {
    let mut order = order();
    let other = PaymentChanged { counts: false, ..changed(&order, id(), 1, Status::Completed) };
    assert!(order.apply_payment_event(&other, at(2)).is_empty());
    assert_eq!((order.status, order.payment_status()), (OrderStatus::Pending, Paid::Pending));
    assert_eq!(order.amount_due(), order.totals.total);
}

#[test]
fn older_version_is_ignored() {
    let (mut order, id) = (order(), id());
    order.apply_payment_event(&changed(&order.clone(), id, 3, Status::Completed), at(2));
    let before = order.clone();
    for (version, status) in [(1, Status::Pending), (2, Status::Failed), (3, Status::Processing)] {
        assert!(order.apply_payment_event(&changed(&before, id, version, status), at(9)).is_empty());
        assert_eq!(order, before);
    }
}

#[test]
fn repeated_refund_event_counts_once() {
    let (mut order, id) = (order(), id());
    order.apply_payment_event(&changed(&order.clone(), id, 1, Status::Completed), at(2));
    let refund = refunded(&order, id, 500, 500);
    order.apply_refund_event(&refund, at(3));
    let before = order.clone();
    order.apply_refund_event(&refund, at(4));
    assert_eq!(order, before);
    assert_eq!(state(&order).3, 500);
}

/// Every event is delivered twice.
#[test]
fn payment_events_converge_in_every_order_of_arrival() {
    let (first, id) = (order(), id());
    let total = first.totals.total.cents();
    let payments = [(1, Status::Pending), (2, Status::Processing), (3, Status::Completed)]
        .map(|(version, status)| changed(&first, id, version, status));
    let refunds = [refunded(&first, id, 500, 500), refunded(&first, id, total - 500, total)];
    for arrival in permutations(5) {
        let mut order = first.clone();
        let mut events = Vec::new();
        for index in arrival.iter().chain(&arrival) {
            match *index {
                index @ 0..3 => events.extend(order.apply_payment_event(&payments[index], at(9))),
                index => events.extend(order.apply_refund_event(&refunds[index - 3], at(9))),
            }
        }
        let expected = (OrderStatus::Confirmed, Paid::Refunded, vec![Some(Status::Refunded)], total);
        assert_eq!(state(&order), expected, "{arrival:?}");
        assert_eq!(events.len(), 1, "{arrival:?}");
        assert_eq!(order.payments[0].refunds.len(), 2);
    }
}

/// The newest version decides the refunded total.
#[test]
fn refund_failures_converge_in_every_order_of_arrival() {
    let (first, id) = (order(), id());
    let total = first.totals.total;
    let refund = |version| PaymentRefunded { version, ..refunded(&first, id, total.cents(), total.cents()) };
    let failure = |refund: &PaymentRefunded| PaymentRefundFailed {
        payment_id: id,
        refund_id: refund.refund_id,
        order_id: first.id,
        user_id: first.user_id,
        amount: total,
        refunded_total: Money::ZERO,
        version: refund.version + 1,
        reason: Some("declined".to_owned()),
        needs_attention: false,
        timestamp: at(6),
    };
    let refunds = [refund(2), refund(4)];
    let failures = [failure(&refunds[0]), failure(&refunds[1])];
    let completed = changed(&first, id, 1, Status::Completed);
    for (consumed, paid, payment, refunded) in
        [(4, Paid::Refunded, Status::Refunded, total), (5, Paid::Completed, Status::Completed, Money::ZERO)]
    {
        for arrival in permutations(consumed) {
            let mut order = first.clone();
            for index in arrival.iter().chain(&arrival) {
                match *index {
                    0 => drop(order.apply_payment_event(&completed, at(9))),
                    1 => drop(order.apply_refund_event(&refunds[0], at(9))),
                    2 => drop(order.apply_refund_failure_event(&failures[0], at(9))),
                    3 => drop(order.apply_refund_event(&refunds[1], at(9))),
                    _ => drop(order.apply_refund_failure_event(&failures[1], at(9))),
                }
            }
            let expected = (OrderStatus::Confirmed, paid, vec![Some(payment)], refunded.cents());
            assert_eq!(state(&order), expected, "{arrival:?}");
        }
    }
}

/// Writers of the previous version do not count refunds; their totals only grow.
#[test]
fn refund_without_a_version_falls_back_to_the_maximum() {
    let (mut order, id) = (order(), id());
    order.apply_payment_event(&changed(&order.clone(), id, 1, Status::Completed), at(2));
    order.apply_refund_event(&refunded(&order.clone(), id, 300, 500), at(3));
    order.apply_refund_event(&refunded(&order.clone(), id, 200, 200), at(3));
    assert_eq!(state(&order).3, 500);
    let counted = PaymentRefunded { version: 3, ..refunded(&order, id, 100, 600) };
    order.apply_refund_event(&counted, at(4));
    assert_eq!(state(&order).3, 600);
}

fn permutations(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else { return vec![Vec::new()] };
    let shorter = permutations(last);
    let insert = |at: usize| shorter.iter().map(move |one| [&one[..at], &[last], &one[at..]].concat());
    (0..count).flat_map(insert).collect()
}

#[test]
fn payments_are_sorted_by_creation() {
    let mut order = order();
    let ids = [PaymentId::generate(at(1)), PaymentId::generate(at(2)), PaymentId::generate(at(0))];
    let second = PaymentChanged { created_at: at(2), ..changed(&order, ids[1], 1, Status::Pending) };
    order.apply_payment_event(&second, at(3));
    order.apply_refund_event(&refunded(&order.clone(), ids[2], 1, 1), at(3));
    order.apply_payment_event(&changed(&order.clone(), ids[0], 1, Status::Failed), at(3));
    assert_eq!(order.payments.iter().map(|payment| payment.id).collect::<Vec<_>>(), ids);
}
