//! Each rule holds on sound books, and finds each kind of violation.

use chrono::DateTime;
use contracts::audit::ProductAudit;
use contracts::calls::OutboxState;
use contracts::event::Line;
use contracts::{PaymentId, UserId};

use super::super::books::ProviderIntent;
use super::*;

#[test]
fn money_that_is_owed_and_awaits_a_person_is_not_amiss() {
    let mut books = sound();
    books.payments[1].external = true;
    books.payments[1].intent = None;
    books.payments[1].refunded = Money::ZERO;
    books.payments[1].awaiting = cents(1000);
    books.orders[2].refunded = Money::ZERO;
    books.orders[2].payment_status = OrderPaymentStatus::Completed;
    books.provider = None;
    assert_eq!(apply(&books), []);
    assert_eq!(books.sums().awaiting_cents, 1000);
    books.payments[1].awaiting = cents(900);
    assert_eq!(apply(&books).len(), 1, "a part of it is neither given back nor to be");
    books.payments[1].awaiting = Money::ZERO;
    assert_eq!(apply(&books).len(), 2, "nobody is to give it back: it is cancelled, but paid");
}

#[test]
fn granted_refund_that_failed_is_owed_and_one_that_was_settled_is_outside() {
    // A part of a paid order: granted, and failed for the last time.
    let mut books = sound();
    books.payments[0].refunded = Money::ZERO;
    books.payments[0].awaiting = cents(100);
    books.orders[1].refunded = Money::ZERO;
    books.provider.as_mut().unwrap()[0].refunded = Money::ZERO;
    assert_eq!(apply(&books), []);
    // Somebody paid it by hand: the order knows it, the provider does not.
    books.payments[0].awaiting = Money::ZERO;
    books.payments[0].refunded_outside = cents(100);
    books.orders[1].refunded = cents(100);
    assert_eq!(apply(&books), []);
    assert_eq!(books.sums().outside_cents, 100);
    books.payments[0].refunded_outside = Money::ZERO;
    assert_eq!(apply(&books).len(), 2, "neither the order nor what was kept agrees");
}

fn at(seconds: i64) -> DateTime<chrono::Utc> {
    DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
}

fn cents(cents: i64) -> Money {
    Money::from_cents(cents)
}

/// One product, and three orders of two pieces each: pending, paid, and cancelled after it was paid.
fn sound() -> Books {
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
    Books { products, orders, payments, provider, outboxes, dead_letters: BTreeMap::new() }
}

/// What is found after this was done to sound books.
fn found(spoil: impl FnOnce(&mut Books)) -> Vec<(Rule, String)> {
    let mut books = sound();
    spoil(&mut books);
    apply(&books).into_iter().map(|finding| (finding.rule, finding.to_string())).collect()
}

#[track_caller]
fn finds(rule: Rule, amount: &str, spoil: impl FnOnce(&mut Books)) {
    let findings = found(spoil);
    let told = findings.iter().any(|(found, text)| *found == rule && text.contains(amount));
    assert!(told, "{rule:?} with `{amount}` is not in {findings:#?}");
}

#[test]
fn sound_books_have_no_findings() {
    assert_eq!(apply(&sound()), []);
    assert_eq!(sound().sums().captured_cents, 2000);
}

#[test]
fn pieces_that_are_lost_or_made_are_found() {
    finds(Rule::PiecesAddUp, "4 available", |books| books.products[0].available = 4);
    finds(Rule::PiecesAddUp, "-1 pieces are available", |books| {
        books.products[0].available = -1;
        books.products[0].initial = 4;
    });
    finds(Rule::PiecesBelongToOrders, "3 pieces are reserved", |books| {
        books.products[0].reserved = 3;
        books.products[0].available = 4;
    });
    finds(Rule::PiecesBelongToOrders, "confirmed orders have 4", |books| {
        books.orders[0].status = OrderStatus::Shipped;
    });
    finds(Rule::PiecesBelongToOrders, "no such product", |books| books.products.clear());
}

#[test]
fn money_that_does_not_match_the_order_is_found() {
    finds(Rule::MoneyMatchesOrder, "worth 0.00", |books| {
        books.orders[1].status = OrderStatus::Cancelled;
        books.orders[1].payment_status = OrderPaymentStatus::Refunded;
    });
    finds(Rule::MoneyMatchesOrder, "worth 10.00", |books| books.payments[0].granted = Money::ZERO);
    finds(Rule::MoneyMatchesOrder, "it is paid, but pending", |books| books.orders[1].status = OrderStatus::Pending);
    finds(Rule::OrderKnowsItsMoney, "5.00 taken", |books| books.orders[1].captured = cents(500));
    finds(Rule::OrderKnowsItsMoney, "0.00 given back", |books| books.orders[2].refunded = Money::ZERO);
    finds(Rule::PaymentHasOrder, "does not exist", |books| {
        books.orders.remove(2);
    });
}

#[test]
fn a_provider_that_says_otherwise_is_found() {
    fn intents(books: &mut Books) -> &mut Vec<ProviderIntent> {
        books.provider.as_mut().unwrap()
    }
    finds(Rule::ProviderAgrees, "took 20.00", |books| intents(books)[0].received = cents(2000));
    finds(Rule::ProviderAgrees, "gave 0.00 back", |books| intents(books)[1].refunded = Money::ZERO);
    finds(Rule::ProviderAgrees, "does not list", |books| intents(books).clear());
    finds(Rule::ProviderAgrees, "took 5.00 by it for none of ours", |books| {
        let unknown =
            ProviderIntent { id: "pi_3".to_owned(), payment: None, received: cents(500), refunded: Money::ZERO };
        intents(books).push(unknown);
    });
    let unused = |books: &mut Books| {
        let begun =
            ProviderIntent { id: "pi_3".to_owned(), payment: None, received: Money::ZERO, refunded: Money::ZERO };
        intents(books).push(begun);
    };
    assert_eq!(found(unused), [], "an intent that took nothing is none of ours to explain");
    let unasked = |books: &mut Books| books.provider = None;
    assert_eq!(found(unasked), []);
    finds(Rule::ProviderAgrees, "took 10.00 and gave 1.00 back, but we have 0.00", |books| {
        books.payments[0].external = true;
    });
}

#[test]
fn a_key_that_made_two_orders_is_found() {
    let same_key = |seconds: i64, other_caller: bool| {
        move |books: &mut Books| {
            for order in &mut books.orders[..2] {
                order.idempotency_key = Some("key".to_owned());
            }
            books.orders[1].created_at = at(seconds);
            if other_caller {
                books.orders[1].placed_by = "bob".to_owned();
            }
        }
    };
    finds(Rule::KeyMadeOneOrder, "`key`", same_key(3600, false));
    assert_eq!(found(same_key(24 * 3600, false)), [], "a day later it is a new key");
    assert_eq!(found(same_key(3600, true)), [], "keys of two callers do not meet");
}

#[test]
fn what_waits_and_what_was_given_up_is_found() {
    finds(Rule::EventsArePublished, "3 events wait, the oldest for 7 s", |books| {
        let waiting = OutboxState { pending: 3, oldest_seconds: 7 };
        books.outboxes.insert("order-service".to_owned(), waiting);
    });
    finds(Rule::NothingIsDead, "2 messages", |books| {
        books.dead_letters.insert("product-service.order.events".to_owned(), 2);
    });
}
