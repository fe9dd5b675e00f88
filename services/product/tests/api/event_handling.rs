//! Events of the order service.

use contracts::Event;
use contracts::api::OrderStatus;
use contracts::event::{OrderCancelled, OrderUpdated};
use testkit::ResponseExt as _;

use crate::support::TestService;

#[tokio::test]
async fn confirmation_commits_the_reservation_once() {
    let service = TestService::open().await;
    let (id, order) = (service.product_with_stock(5).await, service.order());
    service.reserve(order, &[(id, 2)]).await.json(201);
    service.order_updated(order, OrderStatus::Pending).await;
    assert_eq!(service.status(order).await, "reserved");
    for status in [OrderStatus::Confirmed, OrderStatus::Confirmed, OrderStatus::Processing, OrderStatus::Shipped] {
        service.order_updated(order, status).await;
        assert_eq!(
            (service.status(order).await.as_str(), service.stock_balance(id).await),
            ("committed", [5, 0, 3, 0, 2])
        );
    }
    assert_eq!(service.events_of(order).await, ["stock_reserved", "stock_committed"]);
}

#[tokio::test]
async fn later_status_implies_the_confirmation() {
    let service = TestService::open().await;
    for status in [OrderStatus::Processing, OrderStatus::Shipped, OrderStatus::Delivered] {
        let (id, order) = (service.product_with_stock(5).await, service.order());
        service.reserve(order, &[(id, 2)]).await.json(201);
        service.order_updated(order, status).await;
        assert_eq!(service.status(order).await, "committed", "{status}");
    }
}

#[tokio::test]
async fn cancellation_releases_reserved_stock() {
    let service = TestService::open().await;
    let (id, order) = (service.product_with_stock(5).await, service.order());
    service.reserve(order, &[(id, 2)]).await.json(201);
    for _ in 0..2 {
        service.order_cancelled(order).await;
        assert_eq!(
            (service.status(order).await.as_str(), service.stock_balance(id).await),
            ("released", [5, 0, 5, 0, 0])
        );
    }
    assert_eq!(service.available(id).await, 5);
    assert_eq!(service.events_of(order).await, ["stock_reserved", "stock_released"]);
}

#[tokio::test]
async fn cancellation_returns_sold_stock() {
    let service = TestService::open().await;
    let (id, order) = (service.product_with_stock(5).await, service.order());
    service.reserve(order, &[(id, 2)]).await.json(201);
    service.order_updated(order, OrderStatus::Confirmed).await;
    assert_eq!(service.available(id).await, 3);
    for _ in 0..2 {
        service.order_cancelled(order).await;
        assert_eq!(
            (service.status(order).await.as_str(), service.stock_balance(id).await),
            ("released", [5, 0, 5, 0, 0])
        );
    }
    assert_eq!(service.available(id).await, 5);
    service.release(order).await.json(204);
    assert_eq!(service.events_of(order).await, ["stock_reserved", "stock_committed", "stock_released"]);
}

#[tokio::test]
async fn confirmation_after_the_cancellation_changes_nothing() {
    let service = TestService::open().await;
    let (id, order) = (service.product_with_stock(5).await, service.order());
    service.reserve(order, &[(id, 2)]).await.json(201);
    service.order_cancelled(order).await;
    service.order_updated(order, OrderStatus::Confirmed).await;
    assert_eq!((service.status(order).await.as_str(), service.stock_balance(id).await), ("released", [5, 0, 5, 0, 0]));
}

#[tokio::test]
async fn reservation_after_the_cancellation_is_rejected() {
    let service = TestService::open().await;
    let (id, order) = (service.product_with_stock(5).await, service.order());
    service.order_cancelled(order).await;
    service.reserve(order, &[(id, 2)]).await.problem(409, "RESERVATION_RELEASED");
    assert_eq!(service.stock_balance(id).await, [5, 0, 5, 0, 0]);
}

#[tokio::test]
async fn confirmation_without_a_reservation_changes_nothing() {
    let service = TestService::open().await;
    let (id, order) = (service.product_with_stock(5).await, service.order());
    service.order_updated(order, OrderStatus::Confirmed).await;
    service.reservation(order).await.problem(404, "RESERVATION_NOT_FOUND");
    service.reserve(order, &[(id, 2)]).await.json(201);
}

#[tokio::test]
async fn redelivered_message_has_its_effect_once() {
    let service = TestService::open().await;
    let (id, order) = (service.product_with_stock(5).await, service.order());
    service.reserve(order, &[(id, 2)]).await.json(201);
    let timestamp = chrono::DateTime::UNIX_EPOCH;
    let confirmed = OrderUpdated { order_id: order, status: OrderStatus::Confirmed, timestamp };
    let confirmed = service.message(&Event::OrderUpdated(confirmed));
    let cancelled = OrderCancelled { order_id: order, reason: None, items: Vec::new(), timestamp };
    let cancelled = service.message(&Event::OrderCancelled(cancelled));
    for message in [&confirmed, &confirmed, &cancelled, &confirmed, &cancelled] {
        service.publish(message).await;
    }
    assert_eq!(service.stock_balance(id).await, [5, 0, 5, 0, 0]);
    assert_eq!(service.events_of(order).await, ["stock_reserved", "stock_committed", "stock_released"]);
}
