//! `POST` and `GET /api/orders/{id}/payments`

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Shop, UNKNOWN, path};

#[tokio::test]
async fn a_payment_is_begun_in_the_callers_name() {
    let shop = Shop::start().await;
    let (user, order) = shop.placed().await;
    let payments = format!("{}/payments", path(&order));
    let answer = shop.post(&payments, &shop.token(user), json!({"payment_method": "card"})).await.ok(201);
    let asked = json!({
        "order_id": order["id"], "user_id": user, "amount": 74.77, "currency": "USD", "method": "card", "provider": "stripe",
    });
    assert_eq!(shop.neighbours.world().asked, Some((asked.clone(), Some(user))));
    assert_eq!(answer, json!({"payment": asked, "client_secret": "s"}), "as the payment service answers");
}

#[tokio::test]
async fn what_is_said_is_passed_on() {
    let shop = Shop::start().await;
    let (user, order) = shop.placed().await;
    let payments = format!("{}/payments", path(&order));
    let body = json!({"payment_method": "paypal", "payment_provider": "other", "amount": "10.5", "currency": "EUR"});
    shop.post(&payments, &shop.admin(), body).await.ok(201);
    let (asked, caller) = shop.neighbours.world().asked.clone().unwrap();
    let expected = json!({
        "order_id": order["id"], "user_id": user, "amount": 10.5, "currency": "EUR", "method": "paypal", "provider": "other",
    });
    assert_eq!(asked, expected);
    assert!(caller.is_some_and(|caller| caller != user), "with the admin's own token");
}

#[tokio::test]
async fn of_a_paid_order_the_whole_is_asked_for_so_that_it_is_refused() {
    let shop = Shop::start().await;
    let (user, order) = shop.placed().await;
    shop.pay(&order).await;
    let payments = format!("{}/payments", path(&order));
    shop.post(&payments, &shop.token(user), json!({"payment_method": "card"})).await.ok(201);
    assert_eq!(shop.neighbours.world().asked.as_ref().unwrap().0["amount"], 74.77);
}

#[tokio::test]
async fn refusals_are_passed_on_as_they_are() {
    let shop = Shop::start().await;
    let (user, order) = shop.placed().await;
    let payments = format!("{}/payments", path(&order));
    for (status, code) in
        [(409, "ORDER_NOT_PAYABLE"), (422, "CURRENCY_MISMATCH"), (502, "PROVIDER_ERROR"), (503, "PROVIDER_UNAVAILABLE")]
    {
        let body = json!({"status": status, "code": code, "detail": "no", "error": "no", "owed": 3});
        shop.neighbours.world().refusal = Some((status, body.clone()));
        for (method, sent) in [(Method::POST, Some(json!({"payment_method": "card"}))), (Method::GET, None)] {
            let reply = shop.send(method, &payments, Some(&shop.token(user)), sent).await;
            assert_eq!(reply.headers["retry-after"], "7");
            assert_eq!(reply.refused(status, code), body);
        }
    }
}

#[tokio::test]
async fn replayed_payment_is_marked_as_replayed() {
    let shop = Shop::start().await;
    let (user, order) = shop.placed().await;
    let (token, payments) = (shop.token(user), format!("{}/payments", path(&order)));
    let body = json!({"payment_method": "card"});
    let first = shop.post_keyed(&payments, &token, "pay", &body).await;
    assert!(!first.headers.contains_key("idempotency-replayed"));
    shop.neighbours.world().payment_replayed = true;
    let again = shop.post_keyed(&payments, &token, "pay", &body).await;
    assert_eq!((again.status, &again.headers["idempotency-replayed"]), (201, &"true".parse().unwrap()));
}

#[tokio::test]
async fn the_payments_of_an_order_are_passed_on() {
    let shop = Shop::start().await;
    let (user, order) = shop.placed().await;
    let payments = format!("{}/payments", path(&order));
    for token in [shop.token(user), shop.admin(), shop.service()] {
        let answer = shop.get(&payments, &token).await.ok(200);
        assert_eq!(answer, json!([{"order_id": order["id"], "amount": 74.77}]));
    }
    shop.get(&payments, &shop.token(user)).await.ok(200);
    assert_eq!(shop.neighbours.world().asked, Some((order["id"].clone(), Some(user))));
}

#[tokio::test]
async fn another_persons_order_is_not_there() {
    let shop = Shop::start().await;
    let (_, order) = shop.placed().await;
    let stranger = shop.token(shop.user());
    for path in [path(&order), format!("/api/orders/{UNKNOWN}")] {
        let payments = format!("{path}/payments");
        shop.post(&payments, &stranger, json!({"payment_method": "card"})).await.refused(404, "ORDER_NOT_FOUND");
        shop.get(&payments, &stranger).await.refused(404, "ORDER_NOT_FOUND");
        shop.send(Method::POST, &payments, None, Some(json!({}))).await.refused(401, "UNAUTHENTICATED");
        shop.send(Method::GET, &payments, None, None).await.refused(401, "UNAUTHENTICATED");
    }
    assert_eq!(shop.neighbours.world().asked, None, "the payment service is not even asked");
}

#[tokio::test]
async fn without_the_payment_service_there_is_no_payment() {
    let shop = Shop::start().await;
    let (user, order) = shop.placed().await;
    let (token, payments) = (shop.token(user), format!("{}/payments", path(&order)));
    shop.neighbours.world().payments_away = true;
    shop.post(&payments, &token, json!({"payment_method": "card"})).await.refused(503, "SERVICE_UNAVAILABLE");
    shop.get(&payments, &token).await.refused(503, "SERVICE_UNAVAILABLE");
}

#[tokio::test]
async fn bad_input_is_told_by_field() {
    let shop = Shop::start().await;
    let (user, order) = shop.placed().await;
    let (token, payments) = (shop.token(user), format!("{}/payments", path(&order)));
    for (body, field) in [
        (json!({}), "payment_method"),
        (json!({"payment_method": "cash"}), "payment_method"),
        (json!({"payment_method": Value::Null}), "payment_method"),
        (json!({"payment_method": "card", "amount": -1}), "amount"),
        (json!({"payment_method": "card", "amount": 0.001}), "amount"),
        (json!({"payment_method": "card", "currency": "dollars and cents"}), "currency"),
    ] {
        shop.post(&payments, &token, body).await.invalid(422, &[field]);
    }
    shop.raw(Method::POST, &payments, &token, "application/json", "{").await.refused(400, "MALFORMED_BODY");
    shop.get("/api/orders/7/payments", &token).await.invalid(400, &["id"]);
}
