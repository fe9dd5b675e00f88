//! `POST /api/orders`, when it does not work

use common::clock::Clock;
use contracts::UserId;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::eventually;

use crate::support::database::{BREAK_COMMITS, BREAK_WRITING, MEND_COMMITS, MEND_WRITING};
use crate::support::{PATIENCE, Shop};

/// That nothing came of an order: nothing is reserved, nothing written.
async fn nothing_came_of_it(shop: &Shop, user: UserId) {
    assert!(shop.neighbours.world().reservations.is_empty());
    assert_eq!(shop.get("/api/orders", &shop.token(user)).await.ok(200)["total"], 0);
}

#[tokio::test]
async fn only_who_signed_in_may_order_and_for_oneself_only() {
    let shop = Shop::start().await;
    let (user, other) = (shop.user(), shop.user());
    shop.send(Method::POST, "/api/orders", None, Some(Shop::form(user))).await.refused(401, "UNAUTHENTICATED");
    shop.send(Method::POST, "/api/orders", Some("nonsense"), Some(Shop::form(user)))
        .await
        .refused(401, "UNAUTHENTICATED");
    shop.post("/api/orders", &shop.token(other), Shop::form(user)).await.refused(403, "FORBIDDEN");
    nothing_came_of_it(&shop, user).await;
}

#[tokio::test]
async fn a_person_who_does_not_exist_has_no_orders() {
    let shop = Shop::start().await;
    let stranger = UserId::generate(shop.clock.now());
    for token in [shop.token(stranger), shop.admin()] {
        let refusal = shop.post("/api/orders", &token, Shop::form(stranger)).await.refused(404, "USER_NOT_FOUND");
        assert_eq!(refusal["detail"], "User not found");
    }
    shop.neighbours.register(stranger);
    shop.place(stranger).await;
}

#[tokio::test]
async fn where_nobody_can_tell_the_customers_own_token_suffices() {
    let shop = Shop::start().await;
    let (user, first) = (shop.user(), shop.user());
    // While the service still has a token of its own.
    shop.place(first).await;
    shop.neighbours.world().users_away = true;
    shop.place(user).await;
    shop.post("/api/orders", &shop.admin(), Shop::form(user)).await.refused(503, "SERVICE_UNAVAILABLE");
}

#[tokio::test]
async fn unknown_products_are_not_sold() {
    let shop = Shop::start().await;
    let user = shop.user();
    for product in [99, 0, -1, i64::MAX] {
        let mut form = Shop::form(user);
        form["items"] = json!([{"product_id": 1, "quantity": 1}, {"product_id": product, "quantity": 1}]);
        let refusal = shop.post("/api/orders", &shop.token(user), form).await.refused(400, "PRODUCT_NOT_FOUND");
        assert_eq!(refusal["detail"], "Some products not found");
    }
    // Hidden between the question and the reservation.
    shop.neighbours.world().reservation_refusal = Some((400, "PRODUCT_NOT_FOUND"));
    shop.post("/api/orders", &shop.token(user), Shop::form(user)).await.refused(400, "PRODUCT_NOT_FOUND");
    nothing_came_of_it(&shop, user).await;
}

#[tokio::test]
async fn a_shortage_is_told_line_by_line() {
    let shop = Shop::start().await;
    let user = shop.user();
    let mut form = Shop::form(user);
    form["items"] = json!([
        {"product_id": 2, "quantity": 3}, {"product_id": 1, "quantity": 1}, {"product_id": 2, "quantity": 4},
    ]);
    let refusal = shop.post("/api/orders", &shop.token(user), form).await.refused(400, "INSUFFICIENT_STOCK");
    assert_eq!(refusal["detail"], "Insufficient stock for some items");
    assert_eq!(refusal["shortages"], json!([{"product_id": 2, "requested": 7, "available": 5}]));
    nothing_came_of_it(&shop, user).await;
}

#[tokio::test]
async fn without_the_product_service_nothing_is_sold() {
    let shop = Shop::start().await;
    let user = shop.user();
    shop.neighbours.world().products_away = true;
    shop.post("/api/orders", &shop.token(user), Shop::form(user)).await.refused(503, "SERVICE_UNAVAILABLE");
    nothing_came_of_it(&shop, user).await;
}

#[tokio::test]
async fn a_reservation_whose_answer_is_lost_is_given_back() {
    let shop = Shop::start().await;
    let user = shop.user();
    shop.neighbours.world().answers_lost = true;
    shop.post("/api/orders", &shop.token(user), Shop::form(user)).await.refused(503, "SERVICE_UNAVAILABLE");
    eventually("the reservation is released", PATIENCE, || async {
        (!shop.neighbours.world().released.is_empty()).then_some(())
    })
    .await;
    nothing_came_of_it(&shop, user).await;
}

#[tokio::test]
async fn a_reservation_that_ran_out_before_its_order_was_written_is_no_fault() {
    let shop = Shop::start().await;
    let user = shop.user();
    shop.neighbours.world().reservation_refusal = Some((409, "RESERVATION_RELEASED"));
    shop.post("/api/orders", &shop.token(user), Shop::form(user)).await.refused(503, "SERVICE_UNAVAILABLE");
    nothing_came_of_it(&shop, user).await;
}

/// The reservation runs out while the order is on its way to the store, and the order service is asked to give it up.
#[tokio::test]
async fn an_order_that_was_abandoned_before_it_was_written_is_not_written() {
    let shop = Shop::start().await;
    let user = shop.user();
    shop.neighbours.world().expires_at_once = true;
    shop.post("/api/orders", &shop.token(user), Shop::form(user)).await.refused(503, "SERVICE_UNAVAILABLE");
    eventually("the reservation is released", PATIENCE, || async {
        (!shop.neighbours.world().released.is_empty()).then_some(())
    })
    .await;
    nothing_came_of_it(&shop, user).await;
    shop.neighbours.world().expires_at_once = false;
    shop.place(user).await;
}

#[tokio::test]
async fn where_nobody_knows_whether_the_order_was_written_nothing_is_released() {
    let shop = Shop::start().await;
    let user = shop.user();
    shop.database.run(BREAK_COMMITS).await;
    shop.post("/api/orders", &shop.token(user), Shop::form(user)).await.refused(503, "SERVICE_UNAVAILABLE");
    shop.database.run(MEND_COMMITS).await;
    shop.place(user).await;
    assert_eq!(shop.neighbours.world().released, []);
    assert_eq!(shop.neighbours.world().reservations.len(), 2);
}

#[tokio::test]
async fn what_is_certainly_not_written_is_not_kept_reserved() {
    let shop = Shop::start().await;
    let user = shop.user();
    shop.database.run(BREAK_WRITING).await;
    shop.post("/api/orders", &shop.token(user), Shop::form(user)).await.refused(500, "INTERNAL");
    eventually("the reservation is released", PATIENCE, || async {
        (!shop.neighbours.world().released.is_empty()).then_some(())
    })
    .await;
    nothing_came_of_it(&shop, user).await;
    assert_eq!(shop.database.number("SELECT count(*) FROM outbox").await, 0);
    shop.database.run(MEND_WRITING).await;
    shop.place(user).await;
}

#[tokio::test]
async fn a_total_above_the_largest_is_refused() {
    let shop = Shop::start().await;
    let user = shop.user();
    let mut form = Shop::form(user);
    form["items"] = json!([{"product_id": 3, "quantity": 926}]);
    shop.post("/api/orders", &shop.token(user), form.clone()).await.refused(422, "TOTAL_TOO_LARGE");
    nothing_came_of_it(&shop, user).await;
    form["items"][0]["quantity"] = json!(925);
    let order = shop.post("/api/orders", &shop.token(user), form).await.ok(201);
    assert_eq!(order["total_amount"], 998_990.01);
}

#[tokio::test]
async fn bad_input_is_told_by_field() {
    let shop = Shop::start().await;
    let user = shop.user();
    let token = shop.token(user);
    let long = "x".repeat(256);
    for (pointer, value, fields) in [
        ("/user_id", Value::Null, &["user_id"][..]),
        ("/user_id", json!("7"), &["user_id"]),
        ("/items", Value::Null, &["items"]),
        ("/items", json!([]), &["items"]),
        ("/items", json!({}), &["items"]),
        ("/items", json!(vec![json!({"product_id": 1, "quantity": 1}); 51]), &["items"]),
        ("/items/0/product_id", json!("one"), &["items[0].product_id"]),
        ("/items/0/product_id", Value::Null, &["items[0].product_id"]),
        ("/items/0/quantity", json!(0), &["items[0].quantity"]),
        ("/items/0/quantity", json!(-1), &["items[0].quantity"]),
        ("/items/0/quantity", json!(1001), &["items[0].quantity"]),
        ("/items/0/quantity", json!(1.5), &["items[0].quantity"]),
        ("/items/0/quantity", Value::Null, &["items[0].quantity"]),
        (
            "/items",
            json!([{"product_id": 1, "quantity": 600}, {"product_id": 2, "quantity": 1}, {"product_id": 1, "quantity": 401}]),
            &["items[2].quantity"],
        ),
        ("/shipping_address", Value::Null, &["shipping_address"]),
        ("/shipping_address/street", json!(" "), &["shipping_address.street"]),
        ("/shipping_address/street", json!(long), &["shipping_address.street"]),
        (
            "/shipping_address",
            json!({}),
            &[
                "shipping_address.street",
                "shipping_address.city",
                "shipping_address.state",
                "shipping_address.postal_code",
                "shipping_address.country",
            ],
        ),
        ("/shipping_address/postal_code", json!(10001), &["shipping_address.postal_code"]),
        ("/customer_info", Value::Null, &["customer_info"]),
        ("/customer_info/email", json!("john"), &["customer_info.email"]),
        ("/customer_info/first_name", json!(""), &["customer_info.first_name"]),
        (
            "/customer_info",
            json!({"email": "x"}),
            &["customer_info.first_name", "customer_info.last_name", "customer_info.email"],
        ),
    ] {
        let mut form = Shop::form(user);
        *form.pointer_mut(pointer).unwrap() = value;
        shop.post("/api/orders", &token, form).await.invalid(422, fields);
    }
    for (field, value, wrong) in [
        ("billing_address", json!({"street": "x"}), "billing_address.city"),
        ("notes", json!("x".repeat(2001)), "notes"),
        ("notes", json!(5), "notes"),
        ("metadata", json!([1]), "metadata"),
        ("metadata", json!("text"), "metadata"),
        ("metadata", json!({"a": "x".repeat(16 * 1024)}), "metadata"),
    ] {
        let mut form = Shop::form(user);
        form[field] = value;
        let refusal = shop.post("/api/orders", &token, form).await.refused(422, "VALIDATION_FAILED");
        assert_eq!(refusal["errors"][0]["field"], wrong, "{refusal}");
    }
    nothing_came_of_it(&shop, user).await;
}

#[tokio::test]
async fn fifty_lines_are_not_too_many() {
    let shop = Shop::start().await;
    let user = shop.user();
    let mut form = Shop::form(user);
    form["items"] = json!(vec![json!({"product_id": 3, "quantity": 1}); 50]);
    let order = shop.post("/api/orders", &shop.token(user), form).await.ok(201);
    assert_eq!(order["items"][0]["quantity"], 50);
}

#[tokio::test]
async fn a_body_that_is_no_json_is_malformed() {
    let shop = Shop::start().await;
    let token = shop.token(shop.user());
    let json = "application/json";
    shop.raw(Method::POST, "/api/orders", &token, json, "{").await.refused(400, "MALFORMED_BODY");
    shop.raw(Method::POST, "/api/orders", &token, json, "").await.refused(400, "MALFORMED_BODY");
    shop.raw(Method::POST, "/api/orders", &token, json, "[]").await.refused(422, "VALIDATION_FAILED");
    shop.raw(Method::POST, "/api/orders", &token, "text/plain", "{}").await.refused(415, "UNSUPPORTED_MEDIA_TYPE");
}
