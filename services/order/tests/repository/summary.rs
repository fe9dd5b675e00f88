//! Conformance tests of the summary of orders.

use common::database::Period;
use contracts::api::{OrderStatus, PaymentStatus};
use contracts::{Money, UserId};
use order_service::domain::*;
use order_service::repository::OrderSummary;

use crate::fixture::*;
use crate::lists::{pay, period};

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
