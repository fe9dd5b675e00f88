//! What the order service tells.

use contracts::Event;
use contracts::calls::OrderStatus;
use contracts::event::{OrderCancelled, OrderUpdated};

use crate::support::Shop;

#[tokio::test]
async fn a_confirmed_order_sells_what_it_reserved_once() {
    let shop = Shop::open().await;
    let (id, order) = (shop.stocked(5).await, shop.order());
    shop.reserve(order, &[(id, 2)]).await.ok(201);
    shop.hear_status(order, OrderStatus::Pending).await;
    assert_eq!(shop.status(order).await, "reserved");
    for status in [OrderStatus::Confirmed, OrderStatus::Confirmed, OrderStatus::Processing, OrderStatus::Shipped] {
        shop.hear_status(order, status).await;
        assert_eq!((shop.status(order).await.as_str(), shop.pieces(id).await), ("committed", [5, 0, 3, 0, 2]));
    }
    assert_eq!(shop.events_of(order).await, ["stock_reserved", "stock_committed"]);
}

#[tokio::test]
async fn what_comes_after_a_confirmation_says_the_same() {
    let shop = Shop::open().await;
    for status in [OrderStatus::Processing, OrderStatus::Shipped, OrderStatus::Delivered] {
        let (id, order) = (shop.stocked(5).await, shop.order());
        shop.reserve(order, &[(id, 2)]).await.ok(201);
        shop.hear_status(order, status).await;
        assert_eq!(shop.status(order).await, "committed", "{status}");
    }
}

#[tokio::test]
async fn a_cancelled_order_gives_back_what_it_reserved() {
    let shop = Shop::open().await;
    let (id, order) = (shop.stocked(5).await, shop.order());
    shop.reserve(order, &[(id, 2)]).await.ok(201);
    for _ in 0..2 {
        shop.hear_cancelled(order).await;
        assert_eq!((shop.status(order).await.as_str(), shop.pieces(id).await), ("released", [5, 0, 5, 0, 0]));
    }
    assert_eq!(shop.left(id).await, 5);
    assert_eq!(shop.events_of(order).await, ["stock_reserved", "stock_released"]);
}

#[tokio::test]
async fn what_was_sold_comes_back_when_the_order_is_cancelled() {
    let shop = Shop::open().await;
    let (id, order) = (shop.stocked(5).await, shop.order());
    shop.reserve(order, &[(id, 2)]).await.ok(201);
    shop.hear_status(order, OrderStatus::Confirmed).await;
    assert_eq!(shop.left(id).await, 3);
    for _ in 0..2 {
        shop.hear_cancelled(order).await;
        assert_eq!((shop.status(order).await.as_str(), shop.pieces(id).await), ("released", [5, 0, 5, 0, 0]));
    }
    assert_eq!(shop.left(id).await, 5);
    shop.release(order).await.ok(204);
    assert_eq!(shop.events_of(order).await, ["stock_reserved", "stock_committed", "stock_released"]);
}

#[tokio::test]
async fn a_confirmation_that_was_overtaken_by_the_cancellation_sells_nothing() {
    let shop = Shop::open().await;
    let (id, order) = (shop.stocked(5).await, shop.order());
    shop.reserve(order, &[(id, 2)]).await.ok(201);
    shop.hear_cancelled(order).await;
    shop.hear_status(order, OrderStatus::Confirmed).await;
    assert_eq!((shop.status(order).await.as_str(), shop.pieces(id).await), ("released", [5, 0, 5, 0, 0]));
}

#[tokio::test]
async fn a_reservation_that_comes_after_the_cancellation_fails() {
    let shop = Shop::open().await;
    let (id, order) = (shop.stocked(5).await, shop.order());
    shop.hear_cancelled(order).await;
    shop.reserve(order, &[(id, 2)]).await.refused(409, "RESERVATION_RELEASED");
    assert_eq!(shop.pieces(id).await, [5, 0, 5, 0, 0]);
}

#[tokio::test]
async fn a_confirmation_without_a_reservation_changes_nothing() {
    let shop = Shop::open().await;
    let (id, order) = (shop.stocked(5).await, shop.order());
    shop.hear_status(order, OrderStatus::Confirmed).await;
    shop.reservation(order).await.refused(404, "RESERVATION_NOT_FOUND");
    shop.reserve(order, &[(id, 2)]).await.ok(201);
}

#[tokio::test]
async fn a_message_that_is_delivered_twice_has_its_effect_once() {
    let shop = Shop::open().await;
    let (id, order) = (shop.stocked(5).await, shop.order());
    shop.reserve(order, &[(id, 2)]).await.ok(201);
    let timestamp = chrono::DateTime::UNIX_EPOCH;
    let confirmed = OrderUpdated { order_id: order, status: OrderStatus::Confirmed, timestamp };
    let confirmed = shop.message(&Event::OrderUpdated(confirmed));
    let cancelled = OrderCancelled { order_id: order, reason: None, items: Vec::new(), timestamp };
    let cancelled = shop.message(&Event::OrderCancelled(cancelled));
    for message in [&confirmed, &confirmed, &cancelled, &confirmed, &cancelled] {
        shop.publish(message).await;
    }
    assert_eq!(shop.pieces(id).await, [5, 0, 5, 0, 0]);
    assert_eq!(shop.events_of(order).await, ["stock_reserved", "stock_committed", "stock_released"]);
}
