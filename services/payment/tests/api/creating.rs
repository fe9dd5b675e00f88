//! `POST /api/payments`

use std::sync::Arc;
use testkit::ResponseExt as _;

use contracts::OrderId;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::eventually;
use tokio::sync::Notify;

use crate::support::proxy::ProviderFault;
use crate::support::{Fleet, TIMEOUT, intent_id, payment_id};

const CREATE: &str = "POST /v1/payment_intents";

fn with(mut body: Value, field: &str, value: Value) -> Value {
    body[field] = value;
    body
}

#[tokio::test]
async fn payment_is_started() {
    let fleet = Fleet::start().await;
    let user = fleet.user();
    let order = fleet.order(user, 10_000);
    let mut body = Fleet::body(order, user);
    body["amount"] = json!("100.00");
    body["currency"] = json!("usd");
    body["description"] = json!("Two lamps");
    body["metadata"] = json!({"cart": 7, "ratio": 1.50, "nested": {"a": [1]}});
    let response = fleet.post("/api/payments", &fleet.token(user), body.clone()).await.json(201);
    let payment = &response["payment"];
    let intent = payment["provider_transaction_id"].as_str().unwrap();
    let expected = json!({
        "id": payment["id"], "order_id": order, "user_id": user, "amount": 100.00, "currency": "USD",
        "status": "pending", "method": "card", "provider": "stripe", "provider_transaction_id": intent,
        "description": "Two lamps", "failure_reason": null, "refunded_amount": 0.00, "refunds": [],
        "metadata": body["metadata"], "created_at": payment["created_at"], "updated_at": payment["updated_at"],
        "processed_at": null, "refunded_at": null,
    });
    assert_eq!(payment, &expected);
    assert_eq!(response["requires_action"], true);
    assert!(response.get("redirect_url").is_none());
    let secret = response["client_secret"].as_str().unwrap();

    let created = fleet.intent(intent).await;
    assert_eq!((&created["amount"], &created["currency"]), (&json!(10_000), &json!("usd")));
    assert_eq!(created["metadata"], json!({"payment_id": payment["id"], "order_id": order}));
    assert_eq!(created["payment_method_types"], json!(["card"]));

    let events = fleet.events(order).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].0, "payment.created");
    assert_eq!((&events[0].1["status"], &events[0].1["version"]), (&json!("pending"), &json!(1)));
    assert_eq!(events[0].1["actor"], json!({"type": "customer", "id": user}));
    assert!(!events[0].1.to_string().contains(secret));
    let read = fleet.payment(payment["id"].as_str().unwrap()).await;
    assert_eq!(&read, payment, "a later read returns the same");
}

#[tokio::test]
async fn wallets_are_cards_to_the_provider() {
    let fleet = Fleet::start().await;
    for method in ["apple_pay", "google_pay"] {
        let user = fleet.user();
        let order = fleet.order(user, 10_000);
        let body = with(Fleet::body(order, user), "method", json!(method));
        let response = fleet.post("/api/payments", &fleet.token(user), body).await.json(201);
        assert_eq!(response["payment"]["method"], method);
        let intent = fleet.intent(intent_id(&response)).await;
        assert_eq!(intent["payment_method_types"], json!(["card"]));
    }
}

#[tokio::test]
async fn unavailable_method_fails_the_payment() {
    let fleet = Fleet::start().await;
    let user = fleet.user();
    let order = fleet.order(user, 10_000);
    let body = with(Fleet::body(order, user), "method", json!("paypal"));
    fleet.post("/api/payments", &fleet.token(user), body).await.problem(422, "PAYMENT_METHOD_UNAVAILABLE");
    let payments = fleet.get(&format!("/api/payments/order/{order}"), &fleet.token(user)).await.json(200);
    assert_eq!(payments[0]["status"], "failed");
    assert_eq!(payments[0]["failure_reason"], "The payment method is not available");
    assert_eq!(fleet.event_kinds(order).await, ["payment.created", "payment.failed"]);
    fleet.pay(order, user).await.json(201);
}

#[tokio::test]
async fn only_the_owner_admins_and_services_pay() {
    let fleet = Fleet::start().await;
    let (ada, eve) = (fleet.user(), fleet.user());
    let order = fleet.order(ada, 10_000);
    let body = Fleet::body(order, ada);
    let no_token = fleet.send(Method::POST, "/api/payments", None, Some(body.clone())).await;
    assert!(no_token.headers.contains_key("www-authenticate"));
    no_token.problem(401, "UNAUTHENTICATED");
    fleet.post("/api/payments", "not-a-token", body.clone()).await.problem(401, "UNAUTHENTICATED");
    fleet.post("/api/payments", &fleet.token(eve), body.clone()).await.problem(403, "FORBIDDEN");
    let hers = Fleet::body(order, eve);
    fleet.post("/api/payments", &fleet.token(eve), hers.clone()).await.problem(404, "ORDER_NOT_FOUND");
    let problem = fleet.post("/api/payments", &fleet.admin(), hers).await.problem(400, "VALIDATION_FAILED");
    assert_eq!(problem["errors"][0]["field"], "user_id");
    assert!(fleet.event_kinds(order).await.is_empty());

    fleet.post("/api/payments", &fleet.admin(), body.clone()).await.json(201);
    fleet.post("/api/payments", &fleet.service(), body).await.json(201);
    let nowhere = OrderId::generate(chrono::DateTime::UNIX_EPOCH);
    fleet.pay(nowhere, ada).await.problem(404, "ORDER_NOT_FOUND");
}

#[tokio::test]
async fn invalid_input_is_rejected_with_each_field() {
    let fleet = Fleet::start().await;
    let user = fleet.user();
    let order = fleet.order(user, 10_000);
    let token = fleet.token(user);
    let problem = fleet.post("/api/payments", &token, json!({})).await.problem(400, "VALIDATION_FAILED");
    let fields: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|error| error["field"].clone()).collect();
    assert_eq!(fields, ["order_id", "user_id", "amount", "method", "provider"]);
    for (field, value) in [
        ("order_id", json!("7")),
        ("user_id", json!(7)),
        ("amount", json!(0)),
        ("amount", json!(-1)),
        ("amount", json!(1.001)),
        ("amount", json!("much")),
        ("amount", json!(100_000_000)),
        ("method", json!("cash")),
        ("provider", json!("adyen")),
        ("description", json!("x".repeat(501))),
        ("metadata", json!([1])),
        ("metadata", json!({"x": "x".repeat(17 * 1024)})),
    ] {
        let body = with(Fleet::body(order, user), field, value.clone());
        let problem = fleet.post("/api/payments", &token, body).await.problem(400, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], field, "{value} of {field}: {problem}");
    }
    assert!(fleet.event_kinds(order).await.is_empty());
    let longest = with(Fleet::body(order, user), "description", json!("ß".repeat(500)));
    fleet.post("/api/payments", &token, longest).await.json(201);
}

#[tokio::test]
async fn currency_must_equal_the_shops() {
    let fleet = Fleet::start().await;
    let user = fleet.user();
    let order = fleet.order(user, 10_000);
    let body = with(Fleet::body(order, user), "currency", json!("EUR"));
    fleet.post("/api/payments", &fleet.token(user), body).await.problem(422, "CURRENCY_MISMATCH");
    fleet.stub_services.set_currency(order, "EUR");
    fleet.pay(order, user).await.problem(422, "CURRENCY_MISMATCH");
}

#[tokio::test]
async fn amount_must_equal_what_the_order_owes() {
    let fleet = Fleet::start().await;
    let user = fleet.user();
    let order = fleet.order(user, 10_000);
    for amount in [json!(99.99), json!(100.01)] {
        let body = with(Fleet::body(order, user), "amount", amount);
        let problem = fleet.post("/api/payments", &fleet.token(user), body).await.problem(409, "AMOUNT_MISMATCH");
        assert_eq!(problem["owed"], json!(100.00));
    }
}

#[tokio::test]
async fn paid_or_cancelled_order_takes_no_payment() {
    let fleet = Fleet::start().await;
    let (order, user, _) = fleet.paid().await;
    fleet.pay(order, user).await.problem(409, "ORDER_NOT_PAYABLE");

    let order = fleet.order(user, 10_000);
    fleet.stub_services.cancel(order);
    fleet.pay(order, user).await.problem(409, "ORDER_NOT_PAYABLE");

    // The cancellation was consumed, although the order service returns an older status.
    let order = fleet.order(user, 10_000);
    fleet.cancel_order(order).await;
    fleet.stub_services.set_pending(order);
    fleet.pay(order, user).await.problem(409, "ORDER_NOT_PAYABLE");
    assert!(fleet.proxy.calls(CREATE).len() == 1);
}

#[tokio::test]
async fn payment_that_waits_for_the_customer_is_replaced() {
    let fleet = Fleet::start().await;
    let (order, user, first) = fleet.started().await;
    let second = fleet.pay(order, user).await.json(201);
    let first_id = payment_id(&first);
    assert_eq!(fleet.payment(first_id).await["status"], "cancelled");
    let intent = fleet.intent(intent_id(&first)).await;
    assert_eq!(intent["status"], "canceled");
    assert_eq!(fleet.event_kinds(order).await, ["payment.created", "payment.cancelled", "payment.created"]);
    fleet.pay_as_customer(&second, "pm_card_visa").await.json(200);
    fleet.until_status(payment_id(&second), "completed").await;
}

#[tokio::test]
async fn payment_in_creation_is_not_replaced() {
    let fleet = Arc::new(Fleet::start().await);
    let user = fleet.user();
    let order = fleet.order(user, 10_000);
    let release = Arc::new(Notify::new());
    fleet.proxy.inject(CREATE, ProviderFault::Slow(release.clone()));
    let first = tokio::spawn({
        let fleet = fleet.clone();
        async move { fleet.pay(order, user).await }
    });
    eventually("the provider is called", TIMEOUT, || async { (!fleet.proxy.calls(CREATE).is_empty()).then_some(()) })
        .await;
    fleet.pay(order, user).await.problem(409, "PAYMENT_IN_PROGRESS");
    release.notify_one();
    first.await.unwrap().json(201);
}

#[tokio::test]
async fn concurrent_payments_leave_one_open() {
    let fleet = Arc::new(Fleet::start().await);
    let user = fleet.user();
    let order = fleet.order(user, 10_000);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let fleet = fleet.clone();
        tasks.spawn(async move { fleet.pay(order, user).await });
    }
    while let Some(done) = tasks.join_next().await {
        let reply = done.unwrap();
        if reply.status != 201 {
            reply.problem(409, "PAYMENT_IN_PROGRESS");
        }
    }
    let payments = fleet.get(&format!("/api/payments/order/{order}"), &fleet.token(user)).await.json(200);
    let open: Vec<_> = payments.as_array().unwrap().iter().filter(|one| one["status"] == "pending").collect();
    assert_eq!(open.len(), 1, "{payments}");
}

#[tokio::test]
async fn captured_payment_without_a_webhook_is_not_replaced() {
    let fleet = Fleet::start().await;
    let (order, user, started) = fleet.started().await;
    // Webhooks are rejected: their signatures are too old.
    fleet.advance(400);
    fleet.pay_as_customer(&started, "pm_card_visa").await.json(200);
    fleet.pay(order, user).await.problem(409, "PAYMENT_IN_PROGRESS");
    assert_eq!(fleet.payment(payment_id(&started)).await["status"], "completed");
    fleet.pay(order, user).await.problem(409, "ORDER_NOT_PAYABLE");
}

#[tokio::test]
async fn unavailable_order_service_rejects_the_payment() {
    let fleet = Fleet::start().await;
    let user = fleet.user();
    let order = fleet.order(user, 10_000);
    fleet.stub_services.set_unavailable(true);
    fleet.pay(order, user).await.problem(503, "SERVICE_UNAVAILABLE");
    fleet.stub_services.set_unavailable(false);
    fleet.pay(order, user).await.json(201);
}

#[tokio::test]
async fn provider_failure_is_reported_and_the_next_attempt_succeeds() {
    let fleet = Fleet::start().await;
    for (fault, status, code) in [
        (ProviderFault::ServerError, 502, "PROVIDER_ERROR"),
        (ProviderFault::ServerErrorAfterExecution, 502, "PROVIDER_ERROR"),
        (ProviderFault::Down, 503, "PROVIDER_UNAVAILABLE"),
        (ProviderFault::ResponseLost, 503, "PROVIDER_UNAVAILABLE"),
        (ProviderFault::Respond(429, "{}"), 503, "PROVIDER_UNAVAILABLE"),
        (ProviderFault::Respond(401, "{}"), 502, "PROVIDER_ERROR"),
        (ProviderFault::Respond(400, r#"{"error":{"message":"wrong"}}"#), 502, "PROVIDER_ERROR"),
        (ProviderFault::Respond(200, "nonsense"), 503, "PROVIDER_UNAVAILABLE"),
    ] {
        let user = fleet.user();
        let order = fleet.order(user, 10_000);
        fleet.proxy.inject(CREATE, fault);
        fleet.pay(order, user).await.problem(status, code);
        let started = fleet.pay(order, user).await.json(201);
        fleet.pay_as_customer(&started, "pm_card_visa").await.json(200);
        fleet.until_status(payment_id(&started), "completed").await;
        let payments = fleet.get(&format!("/api/payments/order/{order}"), &fleet.token(user)).await.json(200);
        let first = payments[0]["status"].as_str().unwrap();
        assert!(["cancelled", "failed"].contains(&first), "{payments}");
    }
}

#[tokio::test]
async fn order_cancelled_during_the_provider_call_is_not_paid() {
    let fleet = Arc::new(Fleet::start().await);
    let user = fleet.user();
    let order = fleet.order(user, 10_000);
    let release = Arc::new(Notify::new());
    fleet.proxy.inject(CREATE, ProviderFault::Slow(release.clone()));
    let paying = tokio::spawn({
        let fleet = fleet.clone();
        async move { fleet.pay(order, user).await }
    });
    eventually("the provider is called", TIMEOUT, || async { (!fleet.proxy.calls(CREATE).is_empty()).then_some(()) })
        .await;
    fleet.cancel_order(order).await;
    release.notify_one();
    paying.await.unwrap().problem(409, "ORDER_NOT_PAYABLE");
    fleet.reconcile().await;
    let payments = fleet.get(&format!("/api/payments/order/{order}"), &fleet.token(user)).await.json(200);
    assert_eq!(payments[0]["status"], "cancelled");
    let intent = fleet.intent(payments[0]["provider_transaction_id"].as_str().unwrap()).await;
    assert_eq!(intent["status"], "canceled");
}
