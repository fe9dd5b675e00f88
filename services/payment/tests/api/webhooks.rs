//! `POST /api/webhooks/stripe`

use std::sync::Arc;
use testkit::ResponseExt as _;

use reqwest::Method;
use serde_json::{Value, json};
use testkit::eventually;
use tokio::sync::Notify;

use crate::support::proxy::ProviderFault;
use crate::support::{Fleet, OLD_WEBHOOK_SECRET, TIMEOUT, intent_id, payment_id};

#[tokio::test]
async fn capture_completes_the_payment() {
    let fleet = Fleet::start().await;
    let (order, _, paid) = fleet.paid().await;
    let payment = fleet.payment(&paid).await;
    assert_eq!((&payment["amount"], &payment["refunded_amount"]), (&json!(100.0), &json!(0.0)));
    assert!(payment["processed_at"].is_string());
    let events = fleet.events(order).await;
    let kinds: Vec<_> = events.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["payment.created", "payment.completed"]);
    assert_eq!((&events[1].1["counts"], &events[1].1["version"]), (&json!(true), &json!(2)));
}

#[tokio::test]
async fn decline_fails_the_payment_and_a_second_attempt_succeeds() {
    let fleet = Fleet::start().await;
    let (order, user, first) = fleet.started().await;
    assert_eq!(fleet.pay_as_customer(&first, "pm_card_chargeDeclined").await.status, 402);
    let failed = fleet.until_status(payment_id(&first), "failed").await;
    assert_eq!(failed["failure_reason"], "Your card was declined.");
    assert_eq!(fleet.intent(intent_id(&first)).await["status"], "canceled");
    let second = fleet.pay(order, user).await.json(201);
    fleet.pay_as_customer(&second, "pm_card_visa").await.json(200);
    fleet.until_status(payment_id(&second), "completed").await;
    let expected = ["payment.created", "payment.failed", "payment.created", "payment.completed"];
    assert_eq!(fleet.event_kinds(order).await, expected);
}

#[tokio::test]
async fn capture_after_a_decline_counts() {
    let fleet = Fleet::start().await;
    let (order, user, started) = fleet.started().await;
    fleet.proxy.inject("POST /v1/payment_intents/", ProviderFault::Down);
    assert_eq!(fleet.pay_as_customer(&started, "pm_card_chargeDeclined").await.status, 402);
    fleet.until_status(payment_id(&started), "failed").await;
    // The customer pays before the cancellation of the intent.
    fleet.pay_as_customer(&started, "pm_card_visa").await.json(200);
    let completed = fleet.until_status(payment_id(&started), "completed").await;
    assert_eq!(completed["failure_reason"], Value::Null);
    fleet.reconcile().await;
    assert_eq!(fleet.payment(payment_id(&started)).await["refunds"], json!([]));
    fleet.pay(order, user).await.problem(409, "ORDER_NOT_PAYABLE");
}

/// Pays with another intent of the same payment, as after an unknown outcome.
async fn pay_with_another_intent(fleet: &Fleet, payment: &str, amount: &str) {
    let form = [
        ("amount", amount),
        ("currency", "usd"),
        ("payment_method_types[]", "card"),
        ("payment_method", "pm_card_visa"),
        ("confirm", "true"),
        ("metadata[payment_id]", payment),
    ];
    fleet.stripe(Method::POST, "/v1/payment_intents", &form).await;
}

async fn until_payments(fleet: &Fleet, order: contracts::OrderId, count: usize) -> Value {
    eventually("the payment is recorded", TIMEOUT, || async {
        fleet.reconcile_unless_automatic().await;
        let payments = fleet.get(&format!("/api/payments/order/{order}"), &fleet.admin()).await.json(200);
        (payments.as_array().unwrap().len() == count).then_some(payments)
    })
    .await
}

#[tokio::test]
async fn second_capture_of_an_order_is_refunded() {
    let fleet = Fleet::start().await;
    let (order, user, paid) = fleet.paid().await;
    pay_with_another_intent(&fleet, &paid, "10000").await;
    until_payments(&fleet, order, 2).await;
    fleet.reconcile().await;
    let payments = fleet.get(&format!("/api/payments/order/{order}"), &fleet.token(user)).await.json(200);
    let payments = payments.as_array().unwrap();
    let doubled = payments.iter().find(|one| one["id"] != paid).unwrap();
    assert_eq!((&doubled["status"], &doubled["refunds"][0]["cause"]), (&json!("refunded"), &json!("doubled")));
    assert_eq!(fleet.payment(&paid).await["status"], "completed");
    fleet.pay(order, user).await.problem(409, "ORDER_NOT_PAYABLE");
}

#[tokio::test]
async fn capture_of_another_amount_is_refunded_and_does_not_pay_the_order() {
    let fleet = Fleet::start().await;
    let (order, user, started) = fleet.started().await;
    pay_with_another_intent(&fleet, payment_id(&started), "4200").await;
    let payments = until_payments(&fleet, order, 2).await;
    let wrong = payments.as_array().unwrap().iter().find(|one| one["id"] != payment_id(&started)).unwrap().clone();
    assert_eq!(wrong["amount"], json!(42.0));
    fleet.reconcile().await;
    let wrong = fleet.payment(wrong["id"].as_str().unwrap()).await;
    assert_eq!((&wrong["status"], &wrong["refunds"][0]["cause"]), (&json!("refunded"), &json!("late")));
    let again = fleet.pay(order, user).await.json(201);
    fleet.pay_as_customer(&again, "pm_card_visa").await.json(200);
    fleet.until_status(payment_id(&again), "completed").await;
}

/// Returns false webhooks about an intent, as signed with a leaked secret.
fn false_webhooks(started: &Value) -> Vec<(&'static str, Value)> {
    let object = |changes: Value| {
        let mut object = json!({
            "id": intent_id(started), "object": "payment_intent", "status": "succeeded", "currency": "usd",
            "amount": 10_000, "amount_received": 10_000, "metadata": {"payment_id": payment_id(started)},
        });
        object.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        object
    };
    let refund = json!({"id": "re_lie", "object": "refund", "status": "succeeded", "amount": 10_000,
        "payment_intent": intent_id(started)});
    vec![
        ("payment_intent.succeeded", object(json!({}))),
        ("payment_intent.succeeded", object(json!({"amount_received": 4_200}))),
        ("payment_intent.succeeded", object(json!({"currency": "eur"}))),
        ("payment_intent.succeeded", object(json!({"id": "pi_unknown"}))),
        ("payment_intent.succeeded", object(json!({"id": "pi_1/../../refunds"}))),
        ("payment_intent.canceled", object(json!({"status": "canceled"}))),
        (
            "payment_intent.payment_failed",
            object(json!({"status": "requires_payment_method",
            "last_payment_error": {"message": "Declined."}})),
        ),
        ("refund.updated", refund.clone()),
        ("charge.refunded", json!({"id": "ch_1", "payment_intent": intent_id(started), "amount_refunded": 10_000})),
    ]
}

#[tokio::test]
async fn signed_webhook_is_a_hint_and_never_applied() {
    let fleet = Fleet::start().await;
    let (order, user, started) = fleet.started().await;
    for (kind, object) in false_webhooks(&started) {
        assert_eq!(fleet.webhook(kind, object).await.json(200), json!({"received": true}));
        fleet.reconcile().await;
        let payment = fleet.payment(payment_id(&started)).await;
        assert_eq!((&payment["status"], &payment["refunds"]), (&json!("pending"), &json!([])), "{kind}");
    }
    assert_eq!(fleet.event_kinds(order).await, ["payment.created"]);
    fleet.pay_as_customer(&started, "pm_card_visa").await.json(200);
    // Fetches without a change delay the next one, by half a minute at most.
    fleet.advance(30);
    fleet.until_status(payment_id(&started), "completed").await;
    for (kind, object) in false_webhooks(&started) {
        fleet.webhook(kind, object).await.json(200);
        fleet.reconcile().await;
    }
    let payment = fleet.payment(payment_id(&started)).await;
    assert_eq!((&payment["status"], &payment["refunds"]), (&json!("completed"), &json!([])));
    assert_eq!((&payment["amount"], &payment["currency"]), (&json!(100.0), &json!("USD")));
    fleet.pay(order, user).await.problem(409, "ORDER_NOT_PAYABLE");
}

#[tokio::test]
async fn burst_of_webhooks_causes_one_fetch() {
    let fleet = Fleet::start().await;
    let (_, _, started) = fleet.started().await;
    let object = json!({"id": intent_id(&started), "metadata": {"payment_id": payment_id(&started)}});
    for _ in 0..30 {
        fleet.webhook("payment_intent.succeeded", object.clone()).await.json(200);
    }
    let fetches = "GET /v1/payment_intents/";
    assert!(fleet.proxy.calls(fetches).is_empty(), "the provider is not called before the webhook is acknowledged");
    fleet.reconcile().await;
    assert_eq!(fleet.proxy.calls(fetches).len(), 1);
}

#[tokio::test]
async fn repeated_false_webhooks_cause_fetches_with_growing_delay() {
    let fleet = Fleet::start().await;
    let object = |started: &Value| json!({"id": intent_id(started), "metadata": {"payment_id": payment_id(started)}});
    let fetches = "GET /v1/payment_intents/";
    let (_, _, started) = fleet.started().await;
    let send_false_webhooks = async || {
        for _ in 0..3 {
            fleet.webhook("payment_intent.succeeded", object(&started)).await.json(200);
            fleet.reconcile().await;
        }
        fleet.proxy.calls(fetches).len()
    };
    assert_eq!(send_false_webhooks().await, 1, "the first fetch changed nothing");
    fleet.advance(2);
    assert_eq!(send_false_webhooks().await, 2);
    fleet.advance(3);
    assert_eq!(send_false_webhooks().await, 2, "the next fetch is four seconds later");
    // The first webhook of another customer's payment does not wait.
    let (_, _, other) = fleet.started().await;
    fleet.pay_as_customer(&other, "pm_card_visa").await.json(200);
    fleet.webhook("payment_intent.succeeded", object(&other)).await.json(200);
    fleet.reconcile().await;
    assert_eq!(fleet.payment(payment_id(&other)).await["status"], "completed");
    fleet.advance(1);
    fleet.pay_as_customer(&started, "pm_card_visa").await.json(200);
    fleet.until_status(payment_id(&started), "completed").await;
}

#[tokio::test]
async fn fetch_from_an_overloaded_provider_is_repeated_later() {
    let fleet = Fleet::start().await;
    for status in [429, 503] {
        let (_, _, started) = fleet.started().await;
        fleet.advance(400);
        fleet.pay_as_customer(&started, "pm_card_visa").await.json(200);
        let object = json!({"id": intent_id(&started), "metadata": {"payment_id": payment_id(&started)}});
        fleet.proxy.inject("GET /v1/payment_intents/", ProviderFault::Respond(status, "{}"));
        fleet.webhook("payment_intent.succeeded", object).await.json(200);
        let due = fleet.reconcile().await.unwrap();
        assert_eq!(fleet.payment(payment_id(&started)).await["status"], "pending");
        fleet.clock.set(due);
        fleet.until_status(payment_id(&started), "completed").await;
    }
}

#[tokio::test]
async fn event_of_any_shape_is_received_and_only_a_malformed_body_is_rejected() {
    let fleet = Fleet::start().await;
    let (order, _, started) = fleet.started().await;
    let own = intent_id(&started);
    for body in [
        json!({}),
        json!({"id": "evt_1", "object": "v2.core.event", "type": "v1.billing.meter.error_report_triggered",
            "related_object": {"id": "mtr_1", "type": "billing.meter", "url": "/v1/billing/meters/mtr_1"}}),
        json!({"id": "evt_1", "object": "v2.core.event", "type": "payment_intent.succeeded"}),
        json!({"type": "payment_intent.succeeded", "data": null}),
        json!({"type": "payment_intent.succeeded", "data": {"object": null}}),
        json!({"type": "payment_intent.succeeded", "data": {"object": {"id": own, "amount": null, "currency": null,
            "status": null, "metadata": null, "latest_charge": {"id": "ch_1", "created": "x"}}}}),
        json!({"type": "refund.updated", "data": {"object": {"id": "re_1", "amount": null, "status": null,
            "payment_intent": {"id": own, "object": "payment_intent"}}}}),
        json!({"type": "charge.refunded", "data": {"object": {"payment_intent": [own], "refunds": {"data": []}}}}),
        json!({"type": "charge.dispute.created", "data": {"object": {"amount": "many"}}}),
        json!({"type": 7, "data": 7, "created": "yesterday"}),
    ] {
        let body = body.to_string();
        let signature = fleet.signature(OLD_WEBHOOK_SECRET, &body);
        assert_eq!(fleet.raw_webhook(body, Some(&signature)).await.json(200), json!({"received": true}));
        fleet.reconcile().await;
    }
    for body in ["", "[]", "{", "not JSON"] {
        let signature = fleet.signature(OLD_WEBHOOK_SECRET, body);
        fleet.raw_webhook(body.to_owned(), Some(&signature)).await.problem(400, "MALFORMED_BODY");
    }
    assert_eq!(fleet.payment(payment_id(&started)).await["status"], "pending");
    assert_eq!(fleet.event_kinds(order).await, ["payment.created"]);
}

#[tokio::test]
async fn webhook_about_unknown_objects_changes_nothing() {
    let fleet = Fleet::start().await;
    let (order, _, started) = fleet.started().await;
    let unknown = "0190163d-8694-739b-aea5-966c26f8ad91";
    for object in [
        json!({"id": "pi_x", "status": "succeeded", "currency": "usd", "amount_received": 1}),
        json!({"id": "pi_x", "status": "succeeded", "currency": "usd", "metadata": {"payment_id": unknown}}),
        json!({"id": "pi_x", "status": "succeeded", "currency": "usd", "metadata": {"payment_id": "7"}}),
    ] {
        assert_eq!(fleet.webhook("payment_intent.succeeded", object).await.json(200), json!({"received": true}));
    }
    fleet.webhook("customer.created", json!({"id": "cus_1"})).await.json(200);
    fleet.webhook("charge.refunded", json!({"id": "ch_1", "payment_intent": "pi_x"})).await.json(200);
    let refund = json!({"id": "re_1", "status": "succeeded", "amount": 1, "payment_intent": "pi_x"});
    fleet.webhook("refund.updated", refund).await.json(200);
    fleet.reconcile().await;
    assert_eq!(fleet.payment(payment_id(&started)).await["status"], "pending");
    assert_eq!(fleet.event_kinds(order).await, ["payment.created"]);
}

#[tokio::test]
async fn repeated_and_late_webhooks_change_nothing() {
    let fleet = Fleet::start().await;
    let (order, _, paid) = fleet.paid().await;
    let refunded = fleet.refund(&paid, Some(json!({"amount": 10}))).await.json(200);
    let intent_id = refunded["provider_transaction_id"].as_str().unwrap();
    fleet.reconcile().await;
    let before = (fleet.payment(&paid).await, fleet.event_kinds(order).await);
    let listed = fleet.stripe(Method::GET, "/v1/events", &[("limit", "100")]).await;
    for event in listed["data"].as_array().unwrap() {
        fleet.webhook(event["type"].as_str().unwrap(), event["data"]["object"].clone()).await.json(200);
    }
    let declined = json!({
        "id": intent_id, "status": "requires_payment_method", "currency": "usd",
        "last_payment_error": {"message": "Declined."},
    });
    fleet.webhook("payment_intent.payment_failed", declined).await.json(200);
    let canceled = json!({"id": intent_id, "status": "canceled", "currency": "usd"});
    fleet.webhook("payment_intent.canceled", canceled).await.json(200);
    fleet.reconcile().await;
    assert_eq!((fleet.payment(&paid).await, fleet.event_kinds(order).await), before);
}

#[tokio::test]
async fn webhook_before_the_creation_response_finds_its_payment() {
    let fleet = Arc::new(Fleet::start().await);
    let user = fleet.user();
    let order = fleet.order(user, 10_000);
    let release = Arc::new(Notify::new());
    fleet.proxy.inject("POST /v1/payment_intents", ProviderFault::Slow(release.clone()));
    let paying = tokio::spawn({
        let fleet = fleet.clone();
        async move { fleet.pay(order, user).await }
    });
    let created = eventually("the intent is created", TIMEOUT, || async {
        let list = fleet.stripe(Method::GET, "/v1/payment_intents", &[]).await;
        list["data"].get(0).map(|intent| intent["id"].as_str().unwrap().to_owned())
    })
    .await;
    let card = [("payment_method", "pm_card_visa")];
    fleet.stripe(Method::POST, &format!("/v1/payment_intents/{created}/confirm"), &card).await;
    // The webhook is received during the creating call, and followed after it.
    let webhooks = || async {
        let list = fleet.stripe(Method::GET, "/v1/events", &[]).await;
        (list["data"][0]["pending_webhooks"] == 0).then_some(())
    };
    eventually("the webhook is received", TIMEOUT, webhooks).await;
    release.notify_one();
    let response = paying.await.unwrap().json(201);
    assert_eq!(response["payment"]["provider_transaction_id"], created);
    fleet.until_status(payment_id(&response), "completed").await;
    fleet.reconcile().await;
    assert_eq!(fleet.event_kinds(order).await, ["payment.created", "payment.completed"]);
}

#[tokio::test]
async fn refund_initiated_at_the_provider_is_recorded_with_its_own_cause() {
    let fleet = Fleet::start().await;
    let (order, _, paid) = fleet.paid().await;
    let intent_id = fleet.payment(&paid).await["provider_transaction_id"].as_str().unwrap().to_owned();
    let form = [("payment_intent", intent_id.as_str()), ("amount", "2500")];
    fleet.stripe(Method::POST, "/v1/refunds", &form).await;
    let payment =
        fleet.until(&paid, "the refund is recorded", |payment| payment["refunded_amount"] == json!(25.0)).await;
    assert_eq!(payment["refunds"][0]["cause"], "provider");
    fleet.reconcile().await;
    assert_eq!(fleet.payment(&paid).await["refunds"].as_array().unwrap().len(), 1);
    assert_eq!(fleet.event_kinds(order).await, ["payment.created", "payment.completed", "payment.refunded"]);
    fleet.refund(&paid, Some(json!({"amount": 75.01}))).await.problem(400, "REFUND_TOO_LARGE");
}

#[tokio::test]
async fn unsigned_webhook_is_rejected() {
    let fleet = Fleet::start().await;
    let (_, _, started) = fleet.started().await;
    let object = json!({"id": intent_id(&started), "status": "canceled", "currency": "usd"});
    let body = json!({"type": "payment_intent.canceled", "data": {"object": object}}).to_string();
    fleet.raw_webhook(body.clone(), None).await.problem(400, "INVALID_SIGNATURE");
    fleet.raw_webhook(body.clone(), Some("t=1,v1=00")).await.problem(400, "INVALID_SIGNATURE");
    let wrong = fleet.signature("whsec_other", &body);
    fleet.raw_webhook(body.clone(), Some(&wrong)).await.problem(400, "INVALID_SIGNATURE");
    let old = fleet.signature(OLD_WEBHOOK_SECRET, &body);
    fleet.advance(301);
    fleet.raw_webhook(body.clone(), Some(&old)).await.problem(400, "INVALID_SIGNATURE");
    assert_eq!(fleet.payment(payment_id(&started)).await["status"], "pending");
    let rotated = fleet.signature(OLD_WEBHOOK_SECRET, &body);
    fleet.raw_webhook(body, Some(&rotated)).await.json(200);
}

fn leak(text: String) -> &'static str {
    text.leak()
}

#[tokio::test]
async fn provider_text_is_sanitised_before_it_is_stored() {
    let fleet = Fleet::start().await;
    let (_, _, started) = fleet.started().await;
    let message = format!("No\\u0000 money\\u001b[31m{}", "!".repeat(5_000));
    let declined = format!(
        r#"{{"id":"{}","status":"requires_payment_method","currency":"us\u0000d","last_payment_error":{{"message":"{message}"}}}}"#,
        intent_id(&started)
    );
    fleet.proxy.inject("GET /v1/payment_intents/", ProviderFault::Respond(200, leak(declined)));
    let object = json!({"id": intent_id(&started), "metadata": {"payment_id": payment_id(&started)}});
    fleet.webhook("payment_intent.payment_failed", object).await.json(200);
    fleet.reconcile().await;
    let payment = fleet.payment(payment_id(&started)).await;
    assert_eq!(payment["status"], "failed");
    let reason = payment["failure_reason"].as_str().unwrap();
    assert!(reason.starts_with("No money[31m!") && reason.chars().count() == 500, "{reason}");

    let (order, _, paid) = fleet.paid().await;
    let created = format!(
        r#"{{"id":"re_\u0000x\n1","status":"failed","amount":10000,"payment_intent":"{}","failure_reason":"lo\u0000st\n"}}"#,
        fleet.payment(&paid).await["provider_transaction_id"].as_str().unwrap()
    );
    fleet.proxy.inject("POST /v1/refunds", ProviderFault::Respond(200, leak(created)));
    let payment = fleet.refund(&paid, None).await.json(200);
    assert_eq!(payment["refunds"][0]["status"], "failed");
    let (_, failed) = fleet.events(order).await.pop().unwrap();
    assert_eq!(failed["reason"], "lost");
    let problem = r#"{"error":{"type":"invalid_request_error","message":"no\u0000t now"}}"#;
    fleet.proxy.inject("POST /v1/refunds", ProviderFault::Respond(400, problem));
    fleet.refund(&paid, None).await.problem(502, "PROVIDER_ERROR");
    let (_, failed) = fleet.events(order).await.pop().unwrap();
    assert_eq!(failed["reason"], "not now");
}
