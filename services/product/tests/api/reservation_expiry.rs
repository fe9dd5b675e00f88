//! Expiry of reservations.

use contracts::api::OrderStatus;
use testkit::{ResponseExt as _, eventually};

use crate::support::{TIMEOUT, TTL, TestService};

#[tokio::test]
async fn reservation_without_an_order_expires() {
    let service = TestService::open().await;
    let (id, order) = (service.product_with_stock(5).await, service.order());
    assert_eq!(service.expire().await, None);
    service.reserve(order, &[(id, 2)]).await.json(201);
    assert_eq!(service.expire().await, Some(TTL));
    service.advance(TTL - 1);
    assert_eq!(service.expire().await, Some(1));
    assert_eq!((service.stubs.abandon_calls(order), service.available(id).await), (0, 3));
    service.advance(1);
    assert_eq!(service.expire().await, None);
    assert_eq!((service.status(order).await.as_str(), service.available(id).await), ("released", 5));
    assert_eq!(service.stubs.abandon_calls(order), 1);
    assert_eq!(service.events_of(order).await, ["stock_reserved", "stock_expired"]);
    service.reserve(order, &[(id, 2)]).await.problem(409, "RESERVATION_RELEASED");
}

#[tokio::test]
async fn reservation_of_an_existing_order_is_held() {
    let service = TestService::open().await;
    let (id, order) = (service.product_with_stock(5).await, service.order());
    service.reserve(order, &[(id, 2)]).await.json(201);
    service.stubs.place(order, OrderStatus::Pending);
    service.advance(TTL);
    assert_eq!(service.expire().await, None);
    let held = service.reservation(order).await.json(200);
    assert_eq!((held["status"].as_str(), held["expiresAt"].is_null()), (Some("held"), true));
    assert_eq!(service.stock_balance(id).await, [5, 0, 3, 2, 0]);
    assert_eq!(service.reserve(order, &[(id, 2)]).await.json(200), held);
    service.advance(TTL * 100);
    assert_eq!((service.expire().await, service.stubs.abandon_calls(order)), (None, 1));
    assert_eq!(service.events_of(order).await, ["stock_reserved"]);
    service.order_updated(order, OrderStatus::Confirmed).await;
    assert_eq!(service.stock_balance(id).await, [5, 0, 3, 0, 2]);
}

#[tokio::test]
async fn held_stock_returns_on_cancellation_or_release() {
    let service = TestService::open().await;
    let (id, cancelled, released) = (service.product_with_stock(5).await, service.order(), service.order());
    for order in [cancelled, released] {
        service.reserve(order, &[(id, 2)]).await.json(201);
        service.stubs.place(order, OrderStatus::Pending);
    }
    service.advance(TTL);
    service.expire().await;
    assert_eq!(service.available(id).await, 1);
    service.order_cancelled(cancelled).await;
    assert_eq!(service.available(id).await, 3);
    service.release(released).await.json(204);
    assert_eq!(service.available(id).await, 5);
}

#[tokio::test]
async fn reservation_of_a_cancelled_order_is_released() {
    let service = TestService::open().await;
    let (id, order) = (service.product_with_stock(5).await, service.order());
    service.reserve(order, &[(id, 2)]).await.json(201);
    service.stubs.place(order, OrderStatus::Cancelled);
    service.advance(TTL);
    service.expire().await;
    assert_eq!((service.status(order).await.as_str(), service.stock_balance(id).await), ("released", [5, 0, 5, 0, 0]));
    assert_eq!(service.events_of(order).await, ["stock_reserved", "stock_released"]);
    service.order_cancelled(order).await;
    assert_eq!(service.stock_balance(id).await, [5, 0, 5, 0, 0]);
}

#[tokio::test]
async fn failed_expiry_is_postponed_without_delaying_others() {
    let service = TestService::open().await;
    let (id, failing, other) = (service.product_with_stock(5).await, service.order(), service.order());
    service.reserve(failing, &[(id, 2)]).await.json(201);
    service.reserve(other, &[(id, 1)]).await.json(201);
    service.stubs.fail_for(failing, true);
    service.advance(TTL);
    let mut waits = vec![service.expire().await.unwrap()];
    assert_eq!(
        (service.status(other).await.as_str(), service.status(failing).await.as_str()),
        ("released", "reserved")
    );
    for _ in 0..6 {
        service.advance(*waits.last().unwrap());
        waits.push(service.expire().await.unwrap());
    }
    assert_eq!(waits, [1, 2, 4, 5, 5, 5, 5]);
    assert_eq!((service.available(id).await, service.stubs.abandon_calls(failing)), (3, 7));
    service.stubs.fail_for(failing, false);
    service.advance(30);
    assert_eq!(service.expire().await, None);
    assert_eq!((service.available(id).await, service.status(failing).await.as_str()), (5, "released"));
}

#[tokio::test]
async fn more_reservations_than_one_batch_expire() {
    let service = TestService::open().await;
    let id = service.product_with_stock(40).await;
    for _ in 0..40 {
        service.reserve(service.order(), &[(id, 1)]).await.json(201);
    }
    service.advance(TTL);
    assert_eq!(service.expire().await, None);
    assert_eq!(service.stock_balance(id).await, [40, 0, 40, 0, 0]);
}

#[tokio::test]
async fn expiry_worker_runs_in_the_background() {
    let service = TestService::open_with(&[("RESERVATION_TTL", "30")], true).await;
    let (id, order) = (service.product_with_stock(5).await, service.order());
    service.reserve(order, &[(id, 2)]).await.json(201);
    service.advance(30);
    eventually("the reservation is released", TIMEOUT, || async {
        (service.status(order).await == "released").then_some(())
    })
    .await;
    assert_eq!(service.available(id).await, 5);
}
