//! Reservations that run out.

use contracts::calls::OrderStatus;
use testkit::eventually;

use crate::support::{PATIENCE, Shop, TTL};

#[tokio::test]
async fn what_was_reserved_for_an_order_that_never_came_goes_back() {
    let shop = Shop::open().await;
    let (id, order) = (shop.stocked(5).await, shop.order());
    assert_eq!(shop.expire().await, None);
    shop.reserve(order, &[(id, 2)]).await.ok(201);
    assert_eq!(shop.expire().await, Some(TTL));
    shop.advance(TTL - 1);
    assert_eq!(shop.expire().await, Some(1));
    assert_eq!((shop.neighbours.asked(order), shop.left(id).await), (0, 3));
    shop.advance(1);
    assert_eq!(shop.expire().await, None);
    assert_eq!((shop.status(order).await.as_str(), shop.left(id).await), ("released", 5));
    assert_eq!(shop.neighbours.asked(order), 1);
    assert_eq!(shop.events_of(order).await, ["stock_reserved", "stock_expired"]);
    shop.reserve(order, &[(id, 2)]).await.refused(409, "RESERVATION_RELEASED");
}

#[tokio::test]
async fn what_is_reserved_for_an_order_that_exists_is_held() {
    let shop = Shop::open().await;
    let (id, order) = (shop.stocked(5).await, shop.order());
    shop.reserve(order, &[(id, 2)]).await.ok(201);
    shop.neighbours.place(order, OrderStatus::Pending);
    shop.advance(TTL);
    assert_eq!(shop.expire().await, None);
    let held = shop.reservation(order).await.ok(200);
    assert_eq!((held["status"].as_str(), held["expiresAt"].is_null()), (Some("held"), true));
    assert_eq!(shop.pieces(id).await, [5, 0, 3, 2, 0]);
    assert_eq!(shop.reserve(order, &[(id, 2)]).await.ok(200), held);
    shop.advance(TTL * 100);
    assert_eq!((shop.expire().await, shop.neighbours.asked(order)), (None, 1));
    assert_eq!(shop.events_of(order).await, ["stock_reserved"]);
    shop.hear_status(order, OrderStatus::Confirmed).await;
    assert_eq!(shop.pieces(id).await, [5, 0, 3, 0, 2]);
}

#[tokio::test]
async fn what_is_held_is_given_back_when_the_order_is_cancelled_or_released() {
    let shop = Shop::open().await;
    let (id, cancelled, released) = (shop.stocked(5).await, shop.order(), shop.order());
    for order in [cancelled, released] {
        shop.reserve(order, &[(id, 2)]).await.ok(201);
        shop.neighbours.place(order, OrderStatus::Pending);
    }
    shop.advance(TTL);
    shop.expire().await;
    assert_eq!(shop.left(id).await, 1);
    shop.hear_cancelled(cancelled).await;
    assert_eq!(shop.left(id).await, 3);
    shop.release(released).await.ok(204);
    assert_eq!(shop.left(id).await, 5);
}

#[tokio::test]
async fn what_is_reserved_for_a_cancelled_order_goes_back() {
    let shop = Shop::open().await;
    let (id, order) = (shop.stocked(5).await, shop.order());
    shop.reserve(order, &[(id, 2)]).await.ok(201);
    shop.neighbours.place(order, OrderStatus::Cancelled);
    shop.advance(TTL);
    shop.expire().await;
    assert_eq!((shop.status(order).await.as_str(), shop.pieces(id).await), ("released", [5, 0, 5, 0, 0]));
    assert_eq!(shop.events_of(order).await, ["stock_reserved", "stock_released"]);
    shop.hear_cancelled(order).await;
    assert_eq!(shop.pieces(id).await, [5, 0, 5, 0, 0]);
}

#[tokio::test]
async fn an_order_that_nobody_answers_about_waits_and_holds_up_no_other() {
    let shop = Shop::open().await;
    let (id, silent, other) = (shop.stocked(5).await, shop.order(), shop.order());
    shop.reserve(silent, &[(id, 2)]).await.ok(201);
    shop.reserve(other, &[(id, 1)]).await.ok(201);
    shop.neighbours.be_silent(silent, true);
    shop.advance(TTL);
    let mut waits = vec![shop.expire().await.unwrap()];
    assert_eq!((shop.status(other).await.as_str(), shop.status(silent).await.as_str()), ("released", "reserved"));
    for _ in 0..6 {
        shop.advance(*waits.last().unwrap());
        waits.push(shop.expire().await.unwrap());
    }
    assert_eq!(waits, [1, 2, 4, 5, 5, 5, 5]);
    assert_eq!((shop.left(id).await, shop.neighbours.asked(silent)), (3, 7));
    shop.neighbours.be_silent(silent, false);
    shop.advance(30);
    assert_eq!(shop.expire().await, None);
    assert_eq!((shop.left(id).await, shop.status(silent).await.as_str()), (5, "released"));
}

#[tokio::test]
async fn more_than_are_asked_about_at_once_all_expire() {
    let shop = Shop::open().await;
    let id = shop.stocked(40).await;
    for _ in 0..40 {
        shop.reserve(shop.order(), &[(id, 1)]).await.ok(201);
    }
    shop.advance(TTL);
    assert_eq!(shop.expire().await, None);
    assert_eq!(shop.pieces(id).await, [40, 0, 40, 0, 0]);
}

#[tokio::test]
async fn it_expires_by_itself() {
    let shop = Shop::open_with(&[("RESERVATION_TTL", "30")], true).await;
    let (id, order) = (shop.stocked(5).await, shop.order());
    shop.reserve(order, &[(id, 2)]).await.ok(201);
    shop.advance(30);
    eventually("the reservation is released", PATIENCE, || async {
        (shop.status(order).await == "released").then_some(())
    })
    .await;
    assert_eq!(shop.left(id).await, 5);
}
