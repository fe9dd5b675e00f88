//! `Idempotency-Key` on orders

use futures::future::join_all;
use serde_json::json;

use crate::support::Shop;

const ORDERS: &str = "/api/orders";

#[tokio::test]
async fn an_order_that_is_sent_twice_is_placed_once() {
    let shop = Shop::start().await;
    let user = shop.user();
    let (token, form) = (shop.token(user), Shop::form(user));
    let first = shop.post_keyed(ORDERS, &token, "k", &form).await;
    let location = first.headers["location"].clone();
    assert!(!first.headers.contains_key("idempotency-replayed"));
    let first = first.ok(201);
    let again = shop.post_keyed(ORDERS, &token, "k", &form).await;
    assert_eq!(
        (&again.headers["idempotency-replayed"], &again.headers["location"]),
        (&"true".parse().unwrap(), &location)
    );
    assert_eq!(again.ok(201), first);
    assert_eq!(shop.get(ORDERS, &token).await.ok(200)["total"], 1);

    let mut other = form.clone();
    other["items"][0]["quantity"] = json!(1);
    shop.post_keyed(ORDERS, &token, "k", &other).await.refused(422, "IDEMPOTENCY_MISMATCH");
    let second = shop.post_keyed(ORDERS, &token, "another", &form).await.ok(201);
    assert_ne!(second["id"], first["id"]);
}

#[tokio::test]
async fn sixty_four_equal_requests_make_one_order() {
    let shop = Shop::start().await;
    let user = shop.user();
    let (token, form) = (shop.token(user), Shop::form(user));
    let replies = join_all((0..64).map(|_| shop.post_keyed(ORDERS, &token, "k", &form))).await;
    let mut placed = 0;
    for reply in replies {
        match reply.status {
            201 => placed += usize::from(!reply.headers.contains_key("idempotency-replayed")),
            _ => drop(reply.refused(409, "IDEMPOTENCY_IN_FLIGHT")),
        }
    }
    assert_eq!((placed, &shop.get(ORDERS, &token).await.ok(200)["total"]), (1, &json!(1)));
}

#[tokio::test]
async fn keys_of_two_callers_do_not_meet() {
    let shop = Shop::start().await;
    let (ann, bob) = (shop.user(), shop.user());
    let anns = shop.post_keyed(ORDERS, &shop.token(ann), "k", &Shop::form(ann)).await.ok(201);
    let bobs = shop.post_keyed(ORDERS, &shop.token(bob), "k", &Shop::form(bob)).await.ok(201);
    assert_ne!(anns["id"], bobs["id"]);
}

#[tokio::test]
async fn what_is_refused_is_not_kept() {
    let shop = Shop::start().await;
    let user = shop.user();
    let (token, form) = (shop.token(user), Shop::form(user));
    shop.neighbours.world().products_away = true;
    shop.post_keyed(ORDERS, &token, "k", &form).await.refused(503, "SERVICE_UNAVAILABLE");
    shop.neighbours.world().products_away = false;
    let mut empty = form.clone();
    empty["items"] = json!([]);
    shop.post_keyed(ORDERS, &token, "k", &empty).await.invalid(422, &["items"]);
    shop.post_keyed(ORDERS, &token, "k", &form).await.ok(201);
    for key in ["", &"k".repeat(256)] {
        shop.post_keyed(ORDERS, &token, key, &form).await.invalid(400, &["idempotency-key"]);
    }
    shop.post_keyed(ORDERS, &token, &"k".repeat(255), &form).await.ok(201);
}

#[tokio::test]
async fn after_a_day_a_key_is_new() {
    let shop = Shop::start().await;
    let user = shop.user();
    let form = Shop::form(user);
    let first = shop.post_keyed(ORDERS, &shop.token(user), "k", &form).await.ok(201);
    shop.advance(24 * 3600);
    let next = shop.post_keyed(ORDERS, &shop.token(user), "k", &form).await.ok(201);
    assert_ne!(first["id"], next["id"]);
}

#[tokio::test]
async fn an_audit_shows_who_placed_each_order_and_by_which_key() {
    let shop = Shop::start().await;
    let user = shop.user();
    let order = shop.post_keyed(ORDERS, &shop.token(user), "k", &Shop::form(user)).await.ok(201);
    let expected = json!([{
        "id": order["id"], "user_id": user, "placed_by": user, "status": "pending", "payment_status": "pending",
        "total_amount": order["total_amount"], "idempotency_key": "k", "captured": 0.0, "refunded": 0.0,
        "items": [{"product_id": 1, "quantity": 2}], "created_at": order["created_at"],
    }]);
    assert_eq!(shop.get("/ops/audit", &shop.admin()).await.ok(200), expected);
    let after = format!("/ops/audit?after={}", order["id"].as_str().unwrap());
    assert_eq!(shop.get(&after, &shop.service()).await.ok(200), json!([]));
    shop.get("/ops/audit", &shop.token(user)).await.refused(403, "FORBIDDEN");
    shop.get("/ops/audit?limit=0", &shop.admin()).await.invalid(400, &["limit"]);
}

#[tokio::test]
async fn a_replay_depends_on_nothing_but_the_key() {
    let shop = Shop::start().await;
    let user = shop.user();
    let (token, form) = (shop.token(user), Shop::form(user));
    let first = shop.post_keyed(ORDERS, &token, "k", &form).await.ok(201);
    let cancel = format!("{ORDERS}/{}/cancel", first["id"].as_str().unwrap());
    shop.post(&cancel, &token, json!({})).await.ok(200);
    shop.neighbours.world().products_away = true;
    shop.neighbours.world().users_away = true;
    let again = shop.post_keyed(ORDERS, &token, "k", &form).await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.ok(201), first);
    // Another body, even an invalid one, is told apart first.
    let mut invalid = form.clone();
    invalid["notes"] = json!("x".repeat(3000));
    shop.post_keyed(ORDERS, &token, "k", &invalid).await.refused(422, "IDEMPOTENCY_MISMATCH");
}

#[tokio::test]
async fn bodies_are_compared_as_they_were_parsed() {
    let shop = Shop::start().await;
    let user = shop.user();
    let (token, mut form) = (shop.token(user), Shop::form(user));
    form["metadata"] = json!({"a": 5, "b": [1.5]});
    let first = shop.post_keyed(ORDERS, &token, "k", &form).await.ok(201);
    let mut same = form.clone();
    same["metadata"] = json!({"b": [1.5], "a": 5.0});
    same["total_amount"] = json!(1);
    same["notes"] = json!(null);
    let again = shop.post_keyed(ORDERS, &token, "k", &same).await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.ok(201)["id"], first["id"]);
    same["metadata"]["a"] = json!(6);
    shop.post_keyed(ORDERS, &token, "k", &same).await.refused(422, "IDEMPOTENCY_MISMATCH");
}
