//! Conformance tests of unpaid orders, limits and deleted accounts.

use std::num::NonZeroU32;

use common::database::transaction_effects::Effects;
use contracts::UserId;
use contracts::api::{OrderStatus, PaymentStatus};
use order_service::domain::*;
use order_service::repository::OrderEffects;

use crate::fixture::*;

pub(super) async fn unpaid_orders_are_listed_oldest_first(fixture: Fixture) {
    let repository = fixture.repository;
    let mut unpaid = Vec::new();
    for (second, status) in (0..).zip(OrderStatus::ALL) {
        let order = place(&*repository, second).await;
        update(&*repository, order.id, |order| order.status = *status).await;
        if matches!(status, OrderStatus::Pending | OrderStatus::Confirmed) {
            unpaid.push(order);
        }
    }
    let ids: Vec<_> = unpaid.iter().map(|order| order.id).collect();
    assert_eq!(repository.list_unpaid_before(at(60), at(60), 10).await.unwrap(), ids);
    assert_eq!(repository.list_unpaid_before(at(60), at(60), 1).await.unwrap(), ids[..1], "oldest first");
    assert_eq!(
        repository.list_unpaid_before(unpaid[0].created_at, at(60), 10).await.unwrap(),
        ids[..1],
        "to the millisecond"
    );
    assert_eq!(repository.oldest_unpaid_at(false).await.unwrap(), Some(unpaid[0].created_at));

    let mut foreign = payment(1, PaymentStatus::Completed);
    foreign.latest.as_mut().unwrap().counts_toward_total = false;
    update(&*repository, ids[0], |order| order.payments = vec![foreign.clone()]).await;
    assert_eq!(
        repository.list_unpaid_before(at(60), at(60), 10).await.unwrap(),
        ids,
        "payments that do not count are ignored"
    );
    update(&*repository, ids[0], |order| order.payments.push(payment(1, PaymentStatus::Completed))).await;
    assert_eq!(repository.list_unpaid_before(at(60), at(60), 10).await.unwrap(), ids[1..]);
    assert_eq!(repository.oldest_unpaid_at(false).await.unwrap(), Some(unpaid[1].created_at));
}

pub(super) async fn processing_payment_extends_the_wait(fixture: Fixture) {
    let repository = fixture.repository;
    let (waiting, processing) = (place(&*repository, 1).await, place(&*repository, 0).await);
    let pay = |status| {
        let payment = payment(1, status);
        update(&*repository, processing.id, move |order| order.payments = vec![payment.clone()])
    };
    pay(PaymentStatus::Processing).await;
    assert_eq!(repository.list_unpaid_before(at(60), at(-1), 10).await.unwrap(), [waiting.id]);
    assert_eq!(repository.list_unpaid_before(at(60), at(0), 10).await.unwrap(), [processing.id, waiting.id]);
    assert_eq!(repository.oldest_unpaid_at(false).await.unwrap(), Some(at(1)));
    assert_eq!(repository.oldest_unpaid_at(true).await.unwrap(), Some(at(0)));
    pay(PaymentStatus::Failed).await;
    assert_eq!(repository.list_unpaid_before(at(60), at(-1), 10).await.unwrap(), [processing.id, waiting.id]);
    assert_eq!(repository.oldest_unpaid_at(true).await.unwrap(), None);
}

pub(super) async fn unpaid_totals_include_orders_and_pieces_of_one_customer(fixture: Fixture) {
    let repository = fixture.repository;
    let user = UserId::generate(at(0));
    for status in OrderStatus::ALL {
        let order = insert(&*repository, &new_order_of(user, 0)).await;
        update(&*repository, order.id, |order| order.status = *status).await;
    }
    let paid = insert(&*repository, &new_order_of(user, 0)).await;
    update(&*repository, paid.id, |order| order.payments = vec![payment(1, PaymentStatus::Completed)]).await;
    place(&*repository, 0).await;
    assert_eq!(repository.unpaid_totals(user).await.unwrap(), UnpaidTotals { orders: 2, pieces: 6 });
}

pub(super) async fn order_above_a_limit_is_rejected_without_a_trace(fixture: Fixture) {
    let repository = &fixture.repository;
    let user = UserId::generate(at(0));
    let place = async |limits| {
        let placed = new_order_of(user, 0);
        let effects = order_effects(Effects::event(at(0), placed.order.created_event()));
        (placed.order.id, repository.insert(&placed, limits, &effects).await.unwrap())
    };
    let (first, outcome) = place(limits(2, 6)).await;
    assert_eq!(outcome, Ok(()));
    let (second, outcome) = place(limits(2, 6)).await;
    assert_eq!(outcome, Ok(()));
    let [two, six] = [2, 6].map(|limit| NonZeroU32::new(limit).unwrap());
    let (third, outcome) = place(limits(2, 0)).await;
    assert_eq!(outcome, Err(OrderError::TooManyUnpaidOrders { limit: two }));
    assert_eq!(place(limits(0, 6)).await.1, Err(OrderError::TooManyUnpaidPieces { limit: six }));
    assert_eq!(repository.find(third).await.unwrap(), None);
    assert_eq!((fixture.pending().await, repository.timeline(third).await.unwrap().len()), (2, 0));
    update(&**repository, first, |order| order.status = OrderStatus::Cancelled).await;
    assert_eq!(place(limits(2, 6)).await.1, Ok(()), "cancelled orders do not count");
    update(&**repository, second, |order| order.payments = vec![payment(1, PaymentStatus::Completed)]).await;
    assert_eq!(place(limits(2, 6)).await.1, Ok(()), "paid orders do not count");
    assert_eq!(place(UnpaidLimits::NONE).await.1, Ok(()));
}

pub(super) async fn deletion_lists_unpaid_orders_and_blocks_further_ones(fixture: Fixture) {
    let repository = &fixture.repository;
    let user = UserId::generate(at(0));
    let mut unpaid = Vec::new();
    for _ in 0..2 {
        unpaid.push(insert(&**repository, &new_order_of(user, 0)).await.id);
    }
    unpaid.sort_unstable();
    let paid = insert(&**repository, &new_order_of(user, 0)).await;
    update(&**repository, paid.id, |order| order.payments = vec![payment(1, PaymentStatus::Completed)]).await;
    let other = place(&**repository, 0).await;
    for _ in 0..2 {
        assert_eq!(repository.mark_customer_deleted(user, at(1)).await.unwrap(), unpaid);
    }
    for limits in [UnpaidLimits::NONE, limits(100, 1000)] {
        let outcome = repository.insert(&new_order_of(user, 2), limits, &OrderEffects::default()).await.unwrap();
        assert_eq!(outcome, Err(OrderError::AccountDeleted));
    }
    insert(&**repository, &new_order_of(other.user_id, 2)).await;
}
