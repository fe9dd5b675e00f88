//! Tests: every rule accepts a consistent snapshot and reports each kind of violation.

use std::collections::BTreeMap;

use chrono::DateTime;
use contracts::api::{OrderPaymentStatus, OrderStatus, OutboxState, PaymentStatus};
use contracts::audit::{OrderAudit, PaymentAudit, ProductAudit};
use contracts::event::Line;
use contracts::{OrderId, PaymentId, ProductId, UserId};

use super::*;
use crate::ProviderIntent;

#[test]
fn awaiting_refund_is_no_violation() {
    let mut snapshot = consistent();
    snapshot.payments[1].external = true;
    snapshot.payments[1].intent = None;
    snapshot.payments[1].refunded = Money::ZERO;
    snapshot.payments[1].awaiting = cents(1000);
    snapshot.orders[2].refunded = Money::ZERO;
    snapshot.orders[2].payment_status = OrderPaymentStatus::Completed;
    snapshot.provider = None;
    assert_eq!(check(&snapshot), []);
    assert_eq!(snapshot.totals().awaiting_cents, 1000);
    snapshot.payments[1].awaiting = cents(900);
    assert_eq!(check(&snapshot).len(), 1, "a part is neither refunded nor awaiting");
    snapshot.payments[1].awaiting = Money::ZERO;
    assert_eq!(check(&snapshot).len(), 2, "no refund is due, and the order is cancelled but paid");
}

#[test]
fn failed_granted_refund_is_awaiting_and_settled_one_is_outside() {
    // Part of a paid order: granted, and failed for the last time.
    let mut snapshot = consistent();
    snapshot.payments[0].refunded = Money::ZERO;
    snapshot.payments[0].awaiting = cents(100);
    snapshot.orders[1].refunded = Money::ZERO;
    snapshot.provider.as_mut().unwrap()[0].refunded = Money::ZERO;
    assert_eq!(check(&snapshot), []);
    // A manual refund: the order includes it, the provider does not.
    snapshot.payments[0].awaiting = Money::ZERO;
    snapshot.payments[0].refunded_outside = cents(100);
    snapshot.orders[1].refunded = cents(100);
    assert_eq!(check(&snapshot), []);
    assert_eq!(snapshot.totals().outside_cents, 100);
    snapshot.payments[0].refunded_outside = Money::ZERO;
    assert_eq!(check(&snapshot).len(), 2, "neither the order nor the retained amount agrees");
}

fn at(seconds: i64) -> DateTime<chrono::Utc> {
    DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
}

fn cents(cents: i64) -> Money {
    Money::from_cents(cents)
}

/// Returns one product and three orders of two pieces each: pending, paid, and cancelled after payment.
fn consistent() -> AuditSnapshot {
    let product = ProductId::new(1);
    let order = |status, payment_status, captured, refunded| OrderAudit {
        id: OrderId::generate(at(0)),
        user_id: UserId::generate(at(0)),
        placed_by: "ann".to_owned(),
        status,
        payment_status,
        total_amount: cents(1000),
        idempotency_key: None,
        items: vec![Line { product_id: product, quantity: 2 }],
        captured: cents(captured),
        refunded: cents(refunded),
        created_at: at(0),
    };
    let orders = vec![
        order(OrderStatus::Pending, OrderPaymentStatus::Pending, 0, 0),
        order(OrderStatus::Confirmed, OrderPaymentStatus::Completed, 1000, 100),
        order(OrderStatus::Cancelled, OrderPaymentStatus::Refunded, 1000, 1000),
    ];
    let payment = |order: &OrderAudit, intent: &str, granted| PaymentAudit {
        id: PaymentId::generate(at(0)),
        order_id: order.id,
        intent: Some(intent.to_owned()),
        transaction_id: None,
        external: false,
        status: PaymentStatus::Completed,
        amount: cents(1000),
        captured: order.captured,
        refunded: order.refunded,
        granted: cents(granted),
        refunding: Money::ZERO,
        awaiting: Money::ZERO,
        refunded_outside: Money::ZERO,
    };
    let payments = vec![payment(&orders[1], "pi_1", 100), payment(&orders[2], "pi_2", 0)];
    let intent = |payment: &PaymentAudit| ProviderIntent {
        id: payment.intent.clone().unwrap(),
        payment: Some(payment.id),
        received: payment.captured,
        refunded: payment.refunded,
    };
    let provider = Some(payments.iter().map(intent).collect());
    let products = vec![ProductAudit {
        id: product,
        initial: 10,
        adjustments: -1,
        available: 5,
        reserved: 2,
        sold: 2,
        expiring: 0,
    }];
    let empty = OutboxState { pending: 0, oldest_seconds: 0 };
    let outboxes = BTreeMap::from([("order-service".to_owned(), empty)]);
    AuditSnapshot { products, orders, payments, provider, outboxes, dead_letters: Some(BTreeMap::new()) }
}

/// Returns the findings of a snapshot after a modification.
fn found(modify: impl FnOnce(&mut AuditSnapshot)) -> Vec<(Rule, String)> {
    let mut snapshot = consistent();
    modify(&mut snapshot);
    check(&snapshot).into_iter().map(|finding| (finding.rule, finding.to_string())).collect()
}

#[track_caller]
fn finds(rule: Rule, amount: &str, modify: impl FnOnce(&mut AuditSnapshot)) {
    let findings = found(modify);
    let reported = findings.iter().any(|(found, text)| *found == rule && text.contains(amount));
    assert!(reported, "{rule:?} with `{amount}` is not in {findings:#?}");
}

#[test]
fn consistent_snapshot_has_no_findings() {
    assert_eq!(check(&consistent()), []);
    assert_eq!(consistent().totals().captured_cents, 2000);
}

#[test]
fn lost_or_surplus_pieces_are_reported() {
    finds(Rule::PiecesAddUp, "4 available", |snapshot| snapshot.products[0].available = 4);
    finds(Rule::PiecesAddUp, "-1 pieces are available", |snapshot| {
        snapshot.products[0].available = -1;
        snapshot.products[0].initial = 4;
    });
    finds(Rule::PiecesBelongToOrders, "3 pieces are reserved", |snapshot| {
        snapshot.products[0].reserved = 3;
        snapshot.products[0].available = 4;
    });
    finds(Rule::PiecesBelongToOrders, "confirmed orders have 4", |snapshot| {
        snapshot.orders[0].status = OrderStatus::Shipped;
    });
    finds(Rule::PiecesBelongToOrders, "the product does not exist", |snapshot| snapshot.products.clear());
}

#[test]
fn money_mismatch_is_reported() {
    finds(Rule::MoneyMatchesOrder, "worth 0.00", |snapshot| {
        snapshot.orders[1].status = OrderStatus::Cancelled;
        snapshot.orders[1].payment_status = OrderPaymentStatus::Refunded;
    });
    finds(Rule::MoneyMatchesOrder, "worth 10.00", |snapshot| snapshot.payments[0].granted = Money::ZERO);
    finds(Rule::MoneyMatchesOrder, "the order is paid, but pending", |snapshot| {
        snapshot.orders[1].status = OrderStatus::Pending;
    });
    finds(Rule::OrderKnowsItsMoney, "5.00 captured", |snapshot| snapshot.orders[1].captured = cents(500));
    finds(Rule::OrderKnowsItsMoney, "0.00 refunded", |snapshot| snapshot.orders[2].refunded = Money::ZERO);
    finds(Rule::PaymentHasOrder, "does not exist", |snapshot| {
        snapshot.orders.remove(2);
    });
}

#[test]
fn provider_mismatch_is_reported() {
    fn intents(snapshot: &mut AuditSnapshot) -> &mut Vec<ProviderIntent> {
        snapshot.provider.as_mut().unwrap()
    }
    finds(Rule::ProviderAgrees, "captured 20.00", |snapshot| intents(snapshot)[0].received = cents(2000));
    finds(Rule::ProviderAgrees, "refunded 0.00", |snapshot| intents(snapshot)[1].refunded = Money::ZERO);
    finds(Rule::ProviderAgrees, "does not list", |snapshot| intents(snapshot).clear());
    finds(Rule::ProviderAgrees, "captured 5.00 for no payment", |snapshot| {
        let unknown =
            ProviderIntent { id: "pi_3".to_owned(), payment: None, received: cents(500), refunded: Money::ZERO };
        intents(snapshot).push(unknown);
    });
    let without_money = |snapshot: &mut AuditSnapshot| {
        let started =
            ProviderIntent { id: "pi_3".to_owned(), payment: None, received: Money::ZERO, refunded: Money::ZERO };
        intents(snapshot).push(started);
    };
    assert_eq!(found(without_money), [], "an unknown intent without money is no violation");
    let not_configured = |snapshot: &mut AuditSnapshot| snapshot.provider = None;
    assert_eq!(found(not_configured), []);
    finds(Rule::ProviderAgrees, "captured 10.00 and refunded 1.00, but the payment has 0.00", |snapshot| {
        snapshot.payments[0].external = true;
    });
}

#[test]
fn key_of_two_orders_is_reported() {
    let same_key = |seconds: i64, other_caller: bool| {
        move |snapshot: &mut AuditSnapshot| {
            for order in &mut snapshot.orders[..2] {
                order.idempotency_key = Some("key".to_owned());
            }
            snapshot.orders[1].created_at = at(seconds);
            if other_caller {
                snapshot.orders[1].placed_by = "bob".to_owned();
            }
        }
    };
    finds(Rule::KeyMadeOneOrder, "`key`", same_key(3600, false));
    assert_eq!(found(same_key(24 * 3600, false)), [], "a day later the key has expired");
    assert_eq!(found(same_key(3600, true)), [], "keys are per caller");
}

#[test]
fn pending_events_and_dead_letters_are_reported() {
    finds(Rule::EventsArePublished, "3 pending events, the oldest for 7 s", |snapshot| {
        let waiting = OutboxState { pending: 3, oldest_seconds: 7 };
        snapshot.outboxes.insert("order-service".to_owned(), waiting);
    });
    finds(Rule::NothingIsDead, "2 dead letters", |snapshot| {
        snapshot.dead_letters.get_or_insert_default().insert("product-service.order.events".to_owned(), 2);
    });
}
