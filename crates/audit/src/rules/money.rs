//! Money: an order's value, its projection of the payments, and the payments agree.

use std::collections::HashMap;

use contracts::api::{OrderPaymentStatus, OrderStatus};
use contracts::audit::{OrderAudit, PaymentAudit};
use contracts::{Money, OrderId};

use super::{Report, Rule, signed};
use crate::AuditSnapshot;

/// Sums of an order's payments, in cents.
struct Sums {
    captured: i64,
    /// Refunds through the provider and manual refunds.
    refunded: i64,
    granted: i64,
    refunding: i64,
    /// Amount owed without a refund in progress: it awaits the next attempt, or a person.
    awaiting: i64,
}

impl Sums {
    fn of(payments: &[&PaymentAudit]) -> Self {
        let sum =
            |amount: fn(&PaymentAudit) -> Money| payments.iter().map(|payment| amount(payment).cents()).sum::<i64>();
        Self {
            captured: sum(|payment| payment.captured),
            refunded: sum(|payment| payment.refunded) + sum(|payment| payment.refunded_outside),
            granted: sum(|payment| payment.granted),
            refunding: sum(|payment| payment.refunding),
            awaiting: sum(|payment| payment.awaiting),
        }
    }
}

pub(super) fn order_money(snapshot: &AuditSnapshot, report: &mut Report<'_>) {
    let mut payments: HashMap<OrderId, Vec<&PaymentAudit>> = HashMap::new();
    for payment in &snapshot.payments {
        payments.entry(payment.order_id).or_default().push(payment);
    }
    for order in &snapshot.orders {
        let sums = Sums::of(&payments.remove(&order.id).unwrap_or_default());
        projection_matches(order, &sums, report);
        value_matches(order, &sums, report);
    }
    for (order, payments) in payments {
        for payment in payments {
            let text = format!("its order {order} does not exist");
            report(Rule::PaymentHasOrder, format!("payment {}", payment.id), text);
        }
    }
}

fn projection_matches(order: &OrderAudit, sums: &Sums, report: &mut Report<'_>) {
    if (order.captured.cents(), order.refunded.cents()) != (sums.captured, sums.refunded) {
        let text = format!(
            "the order has {} captured and {} refunded, but its payments have {} and {}",
            order.captured,
            order.refunded,
            signed(sums.captured),
            signed(sums.refunded)
        );
        report(Rule::OrderKnowsItsMoney, format!("order {}", order.id), text);
    }
}

fn value_matches(order: &OrderAudit, sums: &Sums, report: &mut Report<'_>) {
    let about = || format!("order {}", order.id);
    let is_paid = order.payment_status == OrderPaymentStatus::Completed;
    let is_active = order.status != OrderStatus::Cancelled;
    let value = if is_paid && is_active { order.total_amount.cents() - sums.granted } else { 0 };
    let retained = sums.captured - sums.refunded - sums.awaiting;
    if retained != value {
        let text = format!(
            "{} and {}: {} captured, {} refunded ({} in progress, {} awaiting), so {} retained, but the order is worth {}",
            order.status,
            order.payment_status,
            signed(sums.captured),
            signed(sums.refunded),
            signed(sums.refunding),
            signed(sums.awaiting),
            signed(retained),
            signed(value)
        );
        report(Rule::MoneyMatchesOrder, about(), text);
    }
    if let Some(text) = inconsistent_status(order).filter(|_| sums.awaiting == 0) {
        report(Rule::MoneyMatchesOrder, about(), text.to_owned());
    }
}

/// Returns a description of two statuses that never coexist for long.
fn inconsistent_status(order: &OrderAudit) -> Option<&'static str> {
    let is_paid = order.payment_status == OrderPaymentStatus::Completed;
    match order.status {
        OrderStatus::Pending if is_paid => Some("the order is paid, but pending"),
        OrderStatus::Cancelled if is_paid => Some("the order is cancelled, but paid"),
        _ => None,
    }
}
