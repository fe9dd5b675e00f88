//! Conformance tests of the list of orders.

use std::cmp::Reverse;

use common::database::{Period, Start};
use contracts::OrderId;
use contracts::api::{OrderPaymentStatus, OrderStatus, PaymentStatus};
use order_service::domain::*;
use order_service::repository::{OrderFilter, OrderRepository};

use crate::fixture::*;

pub(super) async fn found(repository: &dyn OrderRepository, filter: &OrderFilter) -> Vec<OrderId> {
    let page = repository.list(filter, Start::Offset(0), 100).await.unwrap().unwrap();
    assert_eq!(page.total, i64::try_from(page.rows.len()).ok());
    page.rows.iter().map(|order| order.id).collect()
}

pub(super) fn period(from: i64, to: i64) -> Period {
    Period { from: Some(at(from)), to: Some(at(to)) }
}

/// Adds a payment of the order's total to an order.
pub(super) async fn pay(
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
