//! `POST` and `GET /api/orders/{id}/payments`

use reqwest::Method;
use serde_json::{Value, json};
use testkit::ResponseExt as _;

use crate::support::{TestApp, UNKNOWN, path};

#[tokio::test]
async fn payment_is_started_with_the_callers_token() {
    let app = TestApp::start().await;
    let (user, order) = app.placed().await;
    let payments = format!("{}/payments", path(&order));
    let response = app.post(&payments, &app.token(user), json!({"payment_method": "card"})).await.json(201);
    let request = json!({
        "order_id": order["id"], "user_id": user, "amount": 74.77, "currency": "USD", "method": "card", "provider": "stripe",
    });
    assert_eq!(app.stub_services.state().payment_request, Some((request.clone(), Some(user))));
    assert_eq!(response, json!({"payment": request, "client_secret": "s"}), "response of the payment service");
}

#[tokio::test]
async fn given_fields_are_forwarded() {
    let app = TestApp::start().await;
    let (user, order) = app.placed().await;
    let payments = format!("{}/payments", path(&order));
    let body = json!({"payment_method": "paypal", "payment_provider": "other", "amount": "10.5", "currency": "EUR"});
    app.post(&payments, &app.admin(), body).await.json(201);
    let (request, caller) = app.stub_services.state().payment_request.clone().unwrap();
    let expected = json!({
        "order_id": order["id"], "user_id": user, "amount": 10.5, "currency": "EUR", "method": "paypal", "provider": "other",
    });
    assert_eq!(request, expected);
    assert!(caller.is_some_and(|caller| caller != user), "with the token of the admin");
}

#[tokio::test]
async fn total_of_a_paid_order_is_requested_and_left_to_the_payment_service_to_reject() {
    let app = TestApp::start().await;
    let (user, order) = app.placed().await;
    app.pay(&order).await;
    let payments = format!("{}/payments", path(&order));
    app.post(&payments, &app.token(user), json!({"payment_method": "card"})).await.json(201);
    assert_eq!(app.stub_services.state().payment_request.as_ref().unwrap().0["amount"], 74.77);
}

#[tokio::test]
async fn error_responses_are_forwarded_unchanged() {
    let app = TestApp::start().await;
    let (user, order) = app.placed().await;
    let payments = format!("{}/payments", path(&order));
    for (status, code) in
        [(409, "ORDER_NOT_PAYABLE"), (422, "CURRENCY_MISMATCH"), (502, "PROVIDER_ERROR"), (503, "PROVIDER_UNAVAILABLE")]
    {
        let body = json!({"status": status, "code": code, "detail": "no", "error": "no", "owed": 3});
        app.stub_services.state().payment_error = Some((status, body.clone()));
        for (method, sent) in [(Method::POST, Some(json!({"payment_method": "card"}))), (Method::GET, None)] {
            let reply = app.send(method, &payments, Some(&app.token(user)), sent).await;
            assert_eq!(reply.headers["retry-after"], "7");
            assert_eq!(reply.headers["content-type"], "application/problem+json");
            assert_eq!((reply.status, reply.body), (status, body.clone()));
        }
    }
}

#[tokio::test]
async fn replayed_payment_is_marked_as_replayed() {
    let app = TestApp::start().await;
    let (user, order) = app.placed().await;
    let (token, payments) = (app.token(user), format!("{}/payments", path(&order)));
    let body = json!({"payment_method": "card"});
    let first = app.post_keyed(&payments, &token, "pay", &body).await;
    assert!(!first.headers.contains_key("idempotency-replayed"));
    app.stub_services.state().payment_replayed = true;
    let again = app.post_keyed(&payments, &token, "pay", &body).await;
    assert_eq!((again.status, &again.headers["idempotency-replayed"]), (201, &"true".parse().unwrap()));
}

#[tokio::test]
async fn payments_of_an_order_are_forwarded() {
    let app = TestApp::start().await;
    let (user, order) = app.placed().await;
    let payments = format!("{}/payments", path(&order));
    for token in [app.token(user), app.admin(), app.service()] {
        let response = app.get(&payments, &token).await.json(200);
        assert_eq!(response, json!([{"order_id": order["id"], "amount": 74.77}]));
    }
    app.get(&payments, &app.token(user)).await.json(200);
    assert_eq!(app.stub_services.state().payment_request, Some((order["id"].clone(), Some(user))));
}

#[tokio::test]
async fn order_of_another_customer_is_not_found() {
    let app = TestApp::start().await;
    let (_, order) = app.placed().await;
    let stranger = app.token(app.user());
    for path in [path(&order), format!("/api/orders/{UNKNOWN}")] {
        let payments = format!("{path}/payments");
        app.post(&payments, &stranger, json!({"payment_method": "card"})).await.problem(404, "ORDER_NOT_FOUND");
        app.get(&payments, &stranger).await.problem(404, "ORDER_NOT_FOUND");
        app.send(Method::POST, &payments, None, Some(json!({}))).await.problem(401, "UNAUTHENTICATED");
        app.send(Method::GET, &payments, None, None).await.problem(401, "UNAUTHENTICATED");
    }
    assert_eq!(app.stub_services.state().payment_request, None, "the payment service is not called");
}

#[tokio::test]
async fn unavailable_payment_service_is_reported() {
    let app = TestApp::start().await;
    let (user, order) = app.placed().await;
    let (token, payments) = (app.token(user), format!("{}/payments", path(&order)));
    app.stub_services.state().payments_unavailable = true;
    for (method, sent) in [(Method::POST, Some(json!({"payment_method": "card"}))), (Method::GET, None)] {
        let reply = app.send(method, &payments, Some(&token), sent).await;
        assert_eq!((reply.status, reply.body["code"].as_str()), (503, Some("SERVICE_UNAVAILABLE")));
        assert_eq!(reply.headers["retry-after"], "7");
    }
}

#[tokio::test]
async fn invalid_input_is_reported_by_field() {
    let app = TestApp::start().await;
    let (user, order) = app.placed().await;
    let (token, payments) = (app.token(user), format!("{}/payments", path(&order)));
    for (body, field) in [
        (json!({}), "payment_method"),
        (json!({"payment_method": "cash"}), "payment_method"),
        (json!({"payment_method": Value::Null}), "payment_method"),
        (json!({"payment_method": "card", "amount": -1}), "amount"),
        (json!({"payment_method": "card", "amount": 0.001}), "amount"),
        (json!({"payment_method": "card", "currency": "dollars and cents"}), "currency"),
    ] {
        app.post(&payments, &token, body).await.invalid(422, &[field]);
    }
    app.raw(Method::POST, &payments, &token, "application/json", "{").await.problem(400, "MALFORMED_BODY");
    app.get("/api/orders/7/payments", &token).await.invalid(400, &["id"]);
}
