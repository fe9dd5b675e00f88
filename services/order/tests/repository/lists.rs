//! Conformance tests of the list of orders, its search texts, and the summary.

use std::cmp::Reverse;

use common::database::{Period, Start};
use contracts::api::{OrderPaymentStatus, OrderStatus, PaymentStatus};
use contracts::{Money, OrderId, UserId};
use order_service::domain::*;
use order_service::repository::{OrderFilter, OrderRepository, OrderSummary};

use crate::fixture::*;

/// Inserts an order as the previous version does, of the customer of the only order.
const INSERT_ID_OF_PREVIOUS_VERSION: &str =
    "INSERT INTO order_ids (id) VALUES ('0190163d-8694-739b-aea5-966c26f8ad91')";
const INSERT_AS_PREVIOUS_VERSION: &str =
    "INSERT INTO orders (id, order_number, user_id, status, payment_status, subtotal, tax_amount, shipping_amount,
        discount_amount, total_amount, captured, currency, customer_info, shipping_address, created_at, updated_at,
        placed_by)
    SELECT '0190163d-8694-739b-aea5-966c26f8ad91', 'ORD-PREVIOUS', user_id, status, payment_status, subtotal, tax_amount,
        shipping_amount, discount_amount, total_amount, captured, currency, customer_info, shipping_address, created_at,
        updated_at, placed_by FROM orders";

async fn found(repository: &dyn OrderRepository, filter: &OrderFilter) -> Vec<OrderId> {
    let page = repository.list(filter, Start::Offset(0), 100).await.unwrap().unwrap();
    assert_eq!(page.total, i64::try_from(page.rows.len()).ok());
    page.rows.iter().map(|order| order.id).collect()
}

async fn search(repository: &dyn OrderRepository, text: &str) -> Vec<OrderId> {
    found(repository, &OrderFilter { search: Some(text.to_owned()), ..OrderFilter::default() }).await
}

fn period(from: i64, to: i64) -> Period {
    Period { from: Some(at(from)), to: Some(at(to)) }
}

/// Inserts an order of a customer with this name and address.
async fn insert_of(repository: &dyn OrderRepository, second: i64, (first, last, email): (&str, &str, &str)) -> Order {
    let mut placed = new_order_at(second);
    let [first_name, last_name, email] = [first, last, email].map(str::to_owned);
    placed.order.customer_info = CustomerInfo { first_name, last_name, email, phone: None };
    insert(repository, &placed).await
}

/// Adds a payment of the order's total to an order.
async fn pay(
    repository: &dyn OrderRepository,
    id: OrderId,
    status: PaymentStatus,
    change: impl Fn(&mut PaymentProjection) + Sync,
) {
    let changed = update(repository, id, |order| {
        let mut payment = payment(order.created_at.timestamp() - START.timestamp(), status);
        payment.latest.as_mut().unwrap().amount = order.totals.total;
        payment.captured = (status == PaymentStatus::Completed).then_some(order.totals.total);
        change(&mut payment);
        order.payments.push(payment);
    });
    changed.await.unwrap();
}

pub(super) async fn pages_are_newest_first_and_disjoint(fixture: Fixture) {
    let repository = fixture.repository;
    let mut placed = Vec::new();
    for second in [0, 1, 1, 1, 2] {
        placed.push(place(&*repository, second).await);
    }
    placed.sort_by_key(|order| Reverse((order.created_at, order.id)));
    let mut read = Vec::new();
    for page in 0..3 {
        let page = list(&*repository, page * 2, 2).await;
        assert_eq!(page.total, Some(5));
        read.extend(page.rows);
    }
    assert_eq!(read, placed);
    assert!(list(&*repository, i64::MAX, 10).await.rows.is_empty());
}

pub(super) async fn pages_after_an_order_contain_every_order_once(fixture: Fixture) {
    let repository = &*fixture.repository;
    let mut placed = Vec::new();
    for second in [0, 0, 0, 1, 1, 2, 2] {
        placed.push(place(repository, second).await);
    }
    placed.sort_by_key(|order| Reverse((order.created_at, order.id)));
    let ids: Vec<_> = placed.iter().map(|order| order.id).collect();
    let searched = OrderFilter { search: Some("ada".to_owned()), ..OrderFilter::default() };
    for filter in [OrderFilter::default(), searched] {
        let (mut start, mut read) = (Start::Offset(0), Vec::new());
        loop {
            let page = repository.list(&filter, start, 2).await.unwrap().unwrap();
            assert_eq!(page.total, matches!(start, Start::Offset(_)).then_some(7));
            let Some(last) = page.rows.last() else { break };
            start = Start::After(last.id);
            read.extend(page.rows.iter().map(|order| order.id));
        }
        assert_eq!(read, ids, "{filter:?}");
    }
    let unknown = Start::After(OrderId::generate(at(0)));
    assert_eq!(repository.list(&OrderFilter::default(), unknown, 2).await.unwrap(), None);
}

pub(super) async fn filters_are_combined(fixture: Fixture) {
    let repository = &*fixture.repository;
    let mut orders = Vec::new();
    let statuses =
        [PaymentStatus::Processing, PaymentStatus::Completed, PaymentStatus::Failed, PaymentStatus::Completed];
    for second in 0..5 {
        orders.push(place(repository, second).await);
    }
    for (order, status) in orders[1..].iter().zip(statuses) {
        pay(repository, order.id, status, |_| ()).await;
    }
    update(repository, orders[4].id, |order| order.payments[0].refunded_total = order.totals.total).await;
    update(repository, orders[2].id, |order| order.status = OrderStatus::Shipped).await;

    let (none, mut covered) = (OrderFilter::default(), 0);
    for status in OrderPaymentStatus::ALL {
        let mut expected = Vec::new();
        for order in orders.iter().rev() {
            let stored = repository.find(order.id).await.unwrap().unwrap();
            expected.extend((stored.payment_status() == *status).then_some(order.id));
        }
        let filter = OrderFilter { payment_status: Some(*status), ..none.clone() };
        assert_eq!(found(repository, &filter).await, expected, "{status}");
        covered += usize::from(!expected.is_empty());
    }
    assert_eq!(covered, OrderPaymentStatus::ALL.len(), "each payment status is covered");

    let (user, other) = (Some(orders[2].user_id), Some(orders[0].user_id));
    let shipped = OrderFilter { status: Some(OrderStatus::Shipped), ..none.clone() };
    let completed = OrderFilter { payment_status: Some(OrderPaymentStatus::Completed), ..shipped.clone() };
    for (filter, expected) in [
        (OrderFilter { user_id: user, ..none.clone() }, vec![orders[2].id]),
        (shipped.clone(), vec![orders[2].id]),
        (OrderFilter { user_id: other, ..shipped.clone() }, vec![]),
        (completed.clone(), vec![orders[2].id]),
        (OrderFilter { payment_status: Some(OrderPaymentStatus::Failed), ..shipped }, vec![]),
        (OrderFilter { period: period(0, 2), ..none.clone() }, vec![orders[1].id, orders[0].id]),
        (OrderFilter { period: Period { from: Some(at(3)), to: None }, ..none }, vec![orders[4].id, orders[3].id]),
        (
            OrderFilter { user_id: user, search: Some("ADA".to_owned()), period: period(2, 3), ..completed.clone() },
            vec![orders[2].id],
        ),
        (OrderFilter { search: Some("grace".to_owned()), ..completed.clone() }, vec![]),
        (OrderFilter { period: period(0, 2), ..completed }, vec![]),
    ] {
        assert_eq!(found(repository, &filter).await, expected, "{filter:?}");
    }
}

pub(super) async fn orders_are_found_by_number_address_and_name(fixture: Fixture) {
    let repository = &*fixture.repository;
    let zoe = insert_of(repository, 0, ("Zoë", "Müller-Łódź", "zoe.m@shop.example")).await;
    let grace = insert_of(repository, 1, ("Grace", "O'Hara", "100%_grace@example.com")).await;
    let thu = insert_of(repository, 2, ("Thu", "Nguyễn", "thu@example.com")).await;
    let number = zoe.number.as_str().to_lowercase();
    for (text, expected) in [
        ("zoe", vec![zoe.id]),
        ("ZOE\u{301} MULLER", vec![zoe.id]),
        ("muller-lodz", vec![zoe.id]),
        ("o'hara", vec![grace.id]),
        ("hara grace", vec![]),
        ("NGUYEN", vec![thu.id]),
        ("@EXAMPLE.com", vec![thu.id, grace.id]),
        ("100%_", vec![grace.id]),
        ("0%g", vec![]),
        ("_g", vec![grace.id]),
        ("\"", vec![]),
        (&number, vec![zoe.id]),
        (zoe.number.as_str(), vec![zoe.id]),
        (&number[13..], vec![zoe.id]),
        ("ord-", vec![thu.id, grace.id, zoe.id]),
        ("\u{301}", vec![thu.id, grace.id, zoe.id]),
        ("springfield", vec![]),
    ] {
        assert_eq!(search(repository, text).await, expected, "{text}");
    }
}

pub(super) async fn orders_of_the_previous_version_are_indexed(fixture: Fixture) {
    let repository = &*fixture.repository;
    let own = place(repository, 0).await;
    fixture.execute(INSERT_ID_OF_PREVIOUS_VERSION).await;
    fixture.execute(INSERT_AS_PREVIOUS_VERSION).await;
    let previous: OrderId = "0190163d-8694-739b-aea5-966c26f8ad91".parse().unwrap();
    let both = found(repository, &OrderFilter::default()).await;
    assert!(both.len() == 2 && both.contains(&previous));
    assert_eq!(search(repository, "ada").await, [own.id]);
    assert_eq!(repository.index_pending(10).await.unwrap(), 1);
    assert_eq!(repository.index_pending(10).await.unwrap(), 0);
    for text in ["ada o'hara", "ada@example.com"] {
        assert_eq!(search(repository, text).await, both, "{text}");
    }
    assert_eq!(search(repository, "ord-previous").await, [previous]);

    // Texts of many orders are derived in batches, and by several instances at once.
    for second in 1..6 {
        place(repository, second).await;
    }
    fixture.execute("UPDATE orders SET search_text = NULL").await;
    assert!(search(repository, "ada").await.is_empty());
    assert_eq!(repository.index_pending(2).await.unwrap(), 2);
    let (one, other) = tokio::join!(repository.index_pending(3), repository.index_pending(3));
    let rest = repository.index_pending(10).await.unwrap();
    assert_eq!(one.unwrap() + other.unwrap() + rest, 5);
    assert_eq!(search(repository, "ada").await.len(), 7);
}

pub(super) async fn orders_of_a_deleted_account_are_found_by_their_number_alone(fixture: Fixture) {
    let repository = &*fixture.repository;
    let own = place(repository, 0).await;
    fixture.execute(INSERT_ID_OF_PREVIOUS_VERSION).await;
    fixture.execute(INSERT_AS_PREVIOUS_VERSION).await;
    let other = place(repository, 1).await;
    repository.mark_customer_deleted(own.user_id, at(1)).await.unwrap();
    assert_eq!(repository.index_pending(10).await.unwrap(), 0, "the deletion derives the texts");
    let assert_anonymous = async || {
        for text in ["ada", "hara", "example.com"] {
            assert_eq!(search(repository, text).await, [other.id], "{text}");
        }
        assert_eq!(search(repository, own.number.as_str()).await, [own.id]);
        assert_eq!(search(repository, "ORD-previous").await.len(), 1);
        let texts = "SELECT search_text FROM orders WHERE order_number = 'ORD-PREVIOUS'";
        assert_eq!(fixture.text(texts).await, "ord-previous");
    };
    assert_anonymous().await;
    // The worker derives no more, whichever version recorded the deletion; and a repeated message changes nothing.
    fixture.execute("UPDATE orders SET search_text = NULL").await;
    assert_eq!(repository.index_pending(10).await.unwrap(), 3);
    assert_anonymous().await;
    repository.mark_customer_deleted(own.user_id, at(2)).await.unwrap();
    assert_anonymous().await;
    // A customer without a row: the orders are older than the table of customers.
    fixture.execute("DELETE FROM customers").await;
    repository.mark_customer_deleted(other.user_id, at(2)).await.unwrap();
    assert!(search(repository, "ada").await.is_empty());
    assert_eq!(search(repository, other.number.as_str()).await, [other.id]);
}

pub(super) async fn summary_counts_orders_of_a_period(fixture: Fixture) {
    let repository = &*fixture.repository;
    assert_eq!(repository.summary("USD", Period::default()).await.unwrap(), OrderSummary::default());
    // The orders of each status are placed at seconds 0, 1, ..., shipped at 10, delivered at 20.
    for (second, status) in (0..).zip(OrderStatus::ALL) {
        let order = place(repository, second).await;
        let (shipped, delivered) =
            (matches!(status, OrderStatus::Shipped | OrderStatus::Delivered), matches!(status, OrderStatus::Delivered));
        let changed = update(repository, order.id, |order| {
            order.status = *status;
            order.shipped_at = shipped.then_some(at(10));
            order.delivered_at = delivered.then_some(at(20));
        });
        changed.await.unwrap();
    }
    let all =
        OrderSummary { placed: 6, confirmed: 4, shipped: 2, delivered: 1, cancelled: 1, open: 4, ..Default::default() };
    let open_end = Period { from: Some(at(0)), to: None };
    for within in [Period::default(), open_end, period(0, 21)] {
        assert_eq!(repository.summary("USD", within).await.unwrap(), all, "{within:?}");
    }
    let counted =
        |placed, confirmed, cancelled, open| OrderSummary { placed, confirmed, cancelled, open, ..Default::default() };
    let position = |status| i64::try_from(OrderStatus::ALL.iter().position(|one| *one == status).unwrap()).unwrap();
    for (status, expected) in [
        (OrderStatus::Pending, counted(1, 0, 0, 1)),
        (OrderStatus::Confirmed, counted(1, 1, 0, 1)),
        (OrderStatus::Processing, counted(1, 1, 0, 1)),
        (OrderStatus::Shipped, counted(1, 1, 0, 1)),
        (OrderStatus::Delivered, counted(1, 1, 0, 0)),
        (OrderStatus::Cancelled, counted(1, 0, 1, 0)),
    ] {
        // The start is included, the end is not.
        let second = position(status);
        let summary = repository.summary("USD", period(second, second + 1)).await.unwrap();
        assert_eq!(summary, expected, "{status}");
    }
    // Of those that were placed before the period, only what happened in it counts.
    for (within, shipped, delivered) in [(period(10, 11), 2, 0), (period(11, 20), 0, 0), (period(20, 21), 0, 1)] {
        let expected = OrderSummary { shipped, delivered, ..OrderSummary::default() };
        assert_eq!(repository.summary("USD", within).await.unwrap(), expected, "{within:?}");
    }
}

pub(super) async fn summary_amounts_are_of_one_currency_and_of_counted_captures(fixture: Fixture) {
    let repository = &*fixture.repository;
    let mut orders = Vec::new();
    for second in 0..4 {
        orders.push(place(repository, second).await);
    }
    let mut foreign = new_order_of(UserId::generate(at(4)), 4);
    foreign.order.currency = "EUR".to_owned();
    orders.push(insert(repository, &foreign).await);
    let total = orders[0].totals.total;
    let [cents, refunded] = [total.cents(), 7].map(Money::from_cents);
    // Paid; paid and partly refunded, beside a doubled capture that was refunded; paid, then cancelled and refunded.
    pay(repository, orders[0].id, PaymentStatus::Completed, |_| ()).await;
    pay(repository, orders[1].id, PaymentStatus::Completed, |payment| payment.refunded_total = refunded).await;
    let double = |payment: &mut PaymentProjection| {
        payment.latest.as_mut().unwrap().counts_toward_total = false;
        payment.refunded_total = cents;
    };
    pay(repository, orders[1].id, PaymentStatus::Completed, double).await;
    pay(repository, orders[2].id, PaymentStatus::Refunded, |payment| {
        payment.captured = Some(cents);
        payment.refunded_total = cents;
    })
    .await;
    update(repository, orders[2].id, |order| order.status = OrderStatus::Cancelled).await;
    // Not captured, with a refund known before the capture; and one in another currency.
    pay(repository, orders[3].id, PaymentStatus::Processing, |payment| payment.refunded_total = refunded).await;
    pay(repository, orders[4].id, PaymentStatus::Completed, |payment| {
        payment.latest.as_mut().unwrap().currency = "EUR".to_owned();
        payment.refunded_total = refunded;
    })
    .await;
    let amounts = async |currency, within| {
        let summary = repository.summary(currency, within).await.unwrap();
        (summary.placed, summary.revenue.cents(), summary.refunded.cents())
    };
    assert_eq!(amounts("USD", Period::default()).await, (5, 3 * total.cents(), 7 + total.cents()));
    assert_eq!(amounts("EUR", Period::default()).await, (5, total.cents(), 7));
    assert_eq!(amounts("USD", period(1, 2)).await, (1, total.cents(), 7));
    assert_eq!(amounts("USD", period(2, 3)).await, (1, total.cents(), total.cents()));
    assert_eq!(amounts("USD", period(3, 9)).await, (2, 0, 0));
    assert_eq!(amounts("GBP", Period::default()).await, (5, 0, 0));
}
