//! `POST /api/orders`: rejected orders and failures

use common::telemetry::clock::Clock;
use contracts::UserId;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{ResponseExt as _, eventually};

use crate::support::database::{BREAK_COMMITS, BREAK_WRITING, REPAIR_COMMITS, REPAIR_WRITING};
use crate::support::{TIMEOUT, TestApp};

/// Expects that a rejected order left neither a reservation nor an order.
async fn assert_no_trace(app: &TestApp, user: UserId) {
    assert!(app.stub_services.state().reservations.is_empty());
    assert_eq!(app.get("/api/orders", &app.token(user)).await.json(200)["total"], 0);
}

#[tokio::test]
async fn customers_place_orders_for_themselves_only() {
    let app = TestApp::start().await;
    let (user, other) = (app.user(), app.user());
    app.send(Method::POST, "/api/orders", None, Some(TestApp::form(user))).await.problem(401, "UNAUTHENTICATED");
    app.send(Method::POST, "/api/orders", Some("nonsense"), Some(TestApp::form(user)))
        .await
        .problem(401, "UNAUTHENTICATED");
    app.post("/api/orders", &app.token(other), TestApp::form(user)).await.problem(403, "FORBIDDEN");
    assert_no_trace(&app, user).await;
}

#[tokio::test]
async fn unknown_user_cannot_place_orders() {
    let app = TestApp::start().await;
    let stranger = UserId::generate(app.clock.now());
    for token in [app.token(stranger), app.admin()] {
        let error = app.post("/api/orders", &token, TestApp::form(stranger)).await.problem(404, "USER_NOT_FOUND");
        assert_eq!(error["detail"], "User not found");
    }
    app.stub_services.register(stranger);
    app.place(stranger).await;
}

#[tokio::test]
async fn customers_token_suffices_while_the_user_service_is_unavailable() {
    let app = TestApp::start().await;
    let (user, first) = (app.user(), app.user());
    // The service obtains its own token while the user service is available.
    app.place(first).await;
    app.stub_services.state().users_unavailable = true;
    app.place(user).await;
    app.post("/api/orders", &app.admin(), TestApp::form(user)).await.problem(503, "SERVICE_UNAVAILABLE");
}

#[tokio::test]
async fn unknown_products_are_rejected() {
    let app = TestApp::start().await;
    let user = app.user();
    for product in [99, 0, -1, i64::MAX] {
        let mut form = TestApp::form(user);
        form["items"] = json!([{"product_id": 1, "quantity": 1}, {"product_id": product, "quantity": 1}]);
        let error = app.post("/api/orders", &app.token(user), form).await.problem(400, "PRODUCT_NOT_FOUND");
        assert_eq!(error["detail"], "Some products not found");
    }
    // The product becomes unavailable between lookup and reservation.
    app.stub_services.state().reservation_error = Some((400, "PRODUCT_NOT_FOUND"));
    app.post("/api/orders", &app.token(user), TestApp::form(user)).await.problem(400, "PRODUCT_NOT_FOUND");
    assert_no_trace(&app, user).await;
}

#[tokio::test]
async fn shortages_are_reported_by_product() {
    let app = TestApp::start().await;
    let user = app.user();
    let mut form = TestApp::form(user);
    form["items"] = json!([
        {"product_id": 2, "quantity": 3}, {"product_id": 1, "quantity": 1}, {"product_id": 2, "quantity": 4},
    ]);
    let error = app.post("/api/orders", &app.token(user), form).await.problem(400, "INSUFFICIENT_STOCK");
    assert_eq!(error["detail"], "Insufficient stock for some items");
    assert_eq!(error["shortages"], json!([{"product_id": 2, "requested": 7, "available": 5}]));
    assert_no_trace(&app, user).await;
}

#[tokio::test]
async fn unavailable_product_service_is_reported() {
    let app = TestApp::start().await;
    let user = app.user();
    app.stub_services.state().products_unavailable = true;
    app.post("/api/orders", &app.token(user), TestApp::form(user)).await.problem(503, "SERVICE_UNAVAILABLE");
    assert_no_trace(&app, user).await;
}

#[tokio::test]
async fn reservation_with_a_lost_response_is_released() {
    let app = TestApp::start().await;
    let user = app.user();
    app.stub_services.state().responses_lost = true;
    app.post("/api/orders", &app.token(user), TestApp::form(user)).await.problem(503, "SERVICE_UNAVAILABLE");
    eventually("the reservation is released", TIMEOUT, || async {
        (!app.stub_services.state().released.is_empty()).then_some(())
    })
    .await;
    assert_no_trace(&app, user).await;
}

#[tokio::test]
async fn reservation_that_expired_before_the_commit_is_retryable() {
    let app = TestApp::start().await;
    let user = app.user();
    app.stub_services.state().reservation_error = Some((409, "RESERVATION_RELEASED"));
    app.post("/api/orders", &app.token(user), TestApp::form(user)).await.problem(503, "SERVICE_UNAVAILABLE");
    assert_no_trace(&app, user).await;
}

/// The reservation expires before the order is committed, and the product service abandons the order.
#[tokio::test]
async fn order_abandoned_before_the_commit_is_not_committed() {
    let app = TestApp::start().await;
    let user = app.user();
    app.stub_services.state().expires_immediately = true;
    app.post("/api/orders", &app.token(user), TestApp::form(user)).await.problem(503, "SERVICE_UNAVAILABLE");
    eventually("the reservation is released", TIMEOUT, || async {
        (!app.stub_services.state().released.is_empty()).then_some(())
    })
    .await;
    assert_no_trace(&app, user).await;
    app.stub_services.state().expires_immediately = false;
    app.place(user).await;
}

#[tokio::test]
async fn reservation_is_kept_if_the_outcome_of_the_commit_is_unknown() {
    let app = TestApp::start().await;
    let user = app.user();
    app.database.run(BREAK_COMMITS).await;
    app.post("/api/orders", &app.token(user), TestApp::form(user)).await.problem(503, "SERVICE_UNAVAILABLE");
    app.database.run(REPAIR_COMMITS).await;
    app.place(user).await;
    assert_eq!(app.stub_services.state().released, []);
    assert_eq!(app.stub_services.state().reservations.len(), 2);
}

#[tokio::test]
async fn reservation_is_released_if_the_commit_failed() {
    let app = TestApp::start().await;
    let user = app.user();
    app.database.run(BREAK_WRITING).await;
    app.post("/api/orders", &app.token(user), TestApp::form(user)).await.problem(500, "INTERNAL");
    eventually("the reservation is released", TIMEOUT, || async {
        (!app.stub_services.state().released.is_empty()).then_some(())
    })
    .await;
    assert_no_trace(&app, user).await;
    assert_eq!(app.database.number("SELECT count(*) FROM outbox").await, 0);
    app.database.run(REPAIR_WRITING).await;
    app.place(user).await;
}

#[tokio::test]
async fn total_above_the_maximum_is_rejected() {
    let app = TestApp::start().await;
    let user = app.user();
    let mut form = TestApp::form(user);
    form["items"] = json!([{"product_id": 3, "quantity": 926}]);
    app.post("/api/orders", &app.token(user), form.clone()).await.problem(422, "TOTAL_TOO_LARGE");
    assert_no_trace(&app, user).await;
    form["items"][0]["quantity"] = json!(925);
    let order = app.post("/api/orders", &app.token(user), form).await.json(201);
    assert_eq!(order["total_amount"], 998_990.01);
}

#[tokio::test]
async fn invalid_input_is_reported_by_field() {
    let app = TestApp::start().await;
    let user = app.user();
    let token = app.token(user);
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
        let mut form = TestApp::form(user);
        *form.pointer_mut(pointer).unwrap() = value;
        app.post("/api/orders", &token, form).await.invalid(422, fields);
    }
    for (field, value, invalid) in [
        ("billing_address", json!({"street": "x"}), "billing_address.city"),
        ("notes", json!("x".repeat(2001)), "notes"),
        ("notes", json!(5), "notes"),
        ("metadata", json!([1]), "metadata"),
        ("metadata", json!("text"), "metadata"),
        ("metadata", json!({"a": "x".repeat(16 * 1024)}), "metadata"),
    ] {
        let mut form = TestApp::form(user);
        form[field] = value;
        let error = app.post("/api/orders", &token, form).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(error["errors"][0]["field"], invalid, "{error}");
    }
    assert_no_trace(&app, user).await;
}

#[tokio::test]
async fn fifty_lines_are_accepted() {
    let app = TestApp::start().await;
    let user = app.user();
    let mut form = TestApp::form(user);
    form["items"] = json!(vec![json!({"product_id": 3, "quantity": 1}); 50]);
    let order = app.post("/api/orders", &app.token(user), form).await.json(201);
    assert_eq!(order["items"][0]["quantity"], 50);
}

#[tokio::test]
async fn malformed_body_is_rejected() {
    let app = TestApp::start().await;
    let token = app.token(app.user());
    let json = "application/json";
    app.raw(Method::POST, "/api/orders", &token, json, "{").await.problem(400, "MALFORMED_BODY");
    app.raw(Method::POST, "/api/orders", &token, json, "").await.problem(400, "MALFORMED_BODY");
    app.raw(Method::POST, "/api/orders", &token, json, "[]").await.problem(422, "VALIDATION_FAILED");
    app.raw(Method::POST, "/api/orders", &token, "text/plain", "{}").await.problem(415, "UNSUPPORTED_MEDIA_TYPE");
}
