//! `POST /api/webhooks/stripe`, and `order.cancelled`

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};
use testkit::eventually;
use tokio::sync::Notify;

use crate::support::proxy::Disturbance;
use crate::support::{Fleet, OLD_WEBHOOK_SECRET, PATIENCE};

fn id(opened: &Value) -> &str {
    opened["payment"]["id"].as_str().unwrap()
}

fn intent(opened: &Value) -> &str {
    opened["payment"]["provider_transaction_id"].as_str().unwrap()
}

#[tokio::test]
async fn a_success_completes_the_payment() {
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
async fn a_decline_fails_the_payment_and_a_second_try_works() {
    let fleet = Fleet::start().await;
    let (order, user, first) = fleet.opened().await;
    assert_eq!(fleet.customer(&first, "pm_card_chargeDeclined").await.status, 402);
    let failed = fleet.until_status(id(&first), "failed").await;
    assert_eq!(failed["failure_reason"], "Your card was declined.");
    assert_eq!(fleet.intent(intent(&first)).await["status"], "canceled");
    let second = fleet.pay(order, user).await.ok(201);
    fleet.customer(&second, "pm_card_visa").await.ok(200);
    fleet.until_status(id(&second), "completed").await;
    let expected = ["payment.created", "payment.failed", "payment.created", "payment.completed"];
    assert_eq!(fleet.event_kinds(order).await, expected);
}

#[tokio::test]
async fn a_success_after_a_decline_counts() {
    let fleet = Fleet::start().await;
    let (order, user, opened) = fleet.opened().await;
    fleet.proxy.disturb("POST /v1/payment_intents/", Disturbance::Down);
    assert_eq!(fleet.customer(&opened, "pm_card_chargeDeclined").await.status, 402);
    fleet.until_status(id(&opened), "failed").await;
    // The customer was faster than the cancellation of the intent.
    fleet.customer(&opened, "pm_card_visa").await.ok(200);
    let completed = fleet.until_status(id(&opened), "completed").await;
    assert_eq!(completed["failure_reason"], Value::Null);
    fleet.work().await;
    assert_eq!(fleet.payment(id(&opened)).await["refunds"], json!([]));
    fleet.pay(order, user).await.refused(409, "ORDER_NOT_PAYABLE");
}

#[tokio::test]
async fn a_cancelled_order_has_its_open_payment_cancelled() {
    let fleet = Fleet::start().await;
    let (order, _, opened) = fleet.opened().await;
    fleet.cancel_order(order).await;
    fleet.work().await;
    assert_eq!(fleet.payment(id(&opened)).await["status"], "cancelled");
    assert_eq!(fleet.intent(intent(&opened)).await["status"], "canceled");
    assert_eq!(fleet.event_kinds(order).await, ["payment.created", "payment.cancelled"]);
}

#[tokio::test]
async fn a_cancelled_order_has_its_money_given_back() {
    let fleet = Fleet::start().await;
    let (order, _, paid) = fleet.paid().await;
    fleet.refund(&paid, Some(json!({"amount": 30}))).await.ok(200);
    fleet.cancel_order(order).await;
    fleet.cancel_order(order).await;
    fleet.work().await;
    let payment = fleet.payment(&paid).await;
    assert_eq!((&payment["status"], &payment["refunded_amount"]), (&json!("refunded"), &json!(100.0)));
    let told: Vec<_> =
        payment["refunds"].as_array().unwrap().iter().map(|one| (&one["amount"], &one["cause"])).collect();
    assert_eq!(told, [(&json!(30.0), &json!("granted")), (&json!(70.0), &json!("cancelled"))]);
    let events = fleet.events(order).await;
    let totals: Vec<_> = events.iter().filter(|(kind, _)| kind == "payment.refunded").collect();
    assert_eq!(totals.len(), 2);
    assert_eq!(totals[1].1["refunded_total"], json!(100.0));
    assert_eq!((&totals[1].1["cause"], &totals[1].1["refund_amount"]), (&json!("cancelled"), &json!(70.0)));
}

#[tokio::test]
async fn a_late_success_of_a_cancelled_order_is_refunded() {
    let fleet = Fleet::start().await;
    let (order, _, opened) = fleet.opened().await;
    fleet.cancel_order(order).await;
    // The customer was faster than the cancellation of the intent.
    fleet.customer(&opened, "pm_card_visa").await.ok(200);
    let payment = fleet.until_status(id(&opened), "refunded").await;
    assert_eq!(payment["refunds"][0]["cause"], "late");
    assert_eq!(fleet.event_kinds(order).await, ["payment.created", "payment.completed", "payment.refunded"]);
    assert_eq!(fleet.events(order).await[1].1["counts"], false);
}

/// Money that comes by another intent of the same payment, as after a doubtful answer.
async fn pay_beside(fleet: &Fleet, payment: &str, amount: &str) {
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
    eventually("the payment is recorded", PATIENCE, || async {
        fleet.work_if_told().await;
        let payments = fleet.get(&format!("/api/payments/order/{order}"), &fleet.admin()).await.ok(200);
        (payments.as_array().unwrap().len() == count).then_some(payments)
    })
    .await
}

#[tokio::test]
async fn money_that_comes_twice_is_refunded() {
    let fleet = Fleet::start().await;
    let (order, user, paid) = fleet.paid().await;
    pay_beside(&fleet, &paid, "10000").await;
    until_payments(&fleet, order, 2).await;
    fleet.work().await;
    let payments = fleet.get(&format!("/api/payments/order/{order}"), &fleet.token(user)).await.ok(200);
    let payments = payments.as_array().unwrap();
    let doubled = payments.iter().find(|one| one["id"] != paid).unwrap();
    assert_eq!((&doubled["status"], &doubled["refunds"][0]["cause"]), (&json!("refunded"), &json!("doubled")));
    assert_eq!(fleet.payment(&paid).await["status"], "completed");
    fleet.pay(order, user).await.refused(409, "ORDER_NOT_PAYABLE");
}

#[tokio::test]
async fn another_amount_is_recorded_and_refunded_and_the_order_is_not_paid() {
    let fleet = Fleet::start().await;
    let (order, user, opened) = fleet.opened().await;
    pay_beside(&fleet, id(&opened), "4200").await;
    let payments = until_payments(&fleet, order, 2).await;
    let wrong = payments.as_array().unwrap().iter().find(|one| one["id"] != id(&opened)).unwrap().clone();
    assert_eq!(wrong["amount"], json!(42.0));
    fleet.work().await;
    let wrong = fleet.payment(wrong["id"].as_str().unwrap()).await;
    assert_eq!((&wrong["status"], &wrong["refunds"][0]["cause"]), (&json!("refunded"), &json!("late")));
    let again = fleet.pay(order, user).await.ok(201);
    fleet.customer(&again, "pm_card_visa").await.ok(200);
    fleet.until_status(id(&again), "completed").await;
}

/// What a leaked secret could sign about an intent.
fn lies(opened: &Value) -> Vec<(&'static str, Value)> {
    let object = |changes: Value| {
        let mut object = json!({
            "id": intent(opened), "object": "payment_intent", "status": "succeeded", "currency": "usd",
            "amount": 10_000, "amount_received": 10_000, "metadata": {"payment_id": id(opened)},
        });
        object.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        object
    };
    let refund = json!({"id": "re_lie", "object": "refund", "status": "succeeded", "amount": 10_000,
        "payment_intent": intent(opened)});
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
        ("charge.refunded", json!({"id": "ch_1", "payment_intent": intent(opened), "amount_refunded": 10_000})),
    ]
}

#[tokio::test]
async fn a_signed_webhook_is_a_hint_and_never_believed() {
    let fleet = Fleet::start().await;
    let (order, user, opened) = fleet.opened().await;
    for (kind, object) in lies(&opened) {
        assert_eq!(fleet.webhook(kind, object).await.ok(200), json!({"received": true}));
        fleet.work().await;
        let payment = fleet.payment(id(&opened)).await;
        assert_eq!((&payment["status"], &payment["refunds"]), (&json!("pending"), &json!([])), "{kind}");
    }
    assert_eq!(fleet.event_kinds(order).await, ["payment.created"]);
    fleet.customer(&opened, "pm_card_visa").await.ok(200);
    // Looks that changed nothing put the next one off, by half a minute at most.
    fleet.advance(30);
    fleet.until_status(id(&opened), "completed").await;
    for (kind, object) in lies(&opened) {
        fleet.webhook(kind, object).await.ok(200);
        fleet.work().await;
    }
    let payment = fleet.payment(id(&opened)).await;
    assert_eq!((&payment["status"], &payment["refunds"]), (&json!("completed"), &json!([])));
    assert_eq!((&payment["amount"], &payment["currency"]), (&json!(100.0), &json!("USD")));
    fleet.pay(order, user).await.refused(409, "ORDER_NOT_PAYABLE");
}

#[tokio::test]
async fn a_burst_of_webhooks_is_one_look_at_the_intent() {
    let fleet = Fleet::start().await;
    let (_, _, opened) = fleet.opened().await;
    let object = json!({"id": intent(&opened), "metadata": {"payment_id": id(&opened)}});
    for _ in 0..30 {
        fleet.webhook("payment_intent.succeeded", object.clone()).await.ok(200);
    }
    let looks = "GET /v1/payment_intents/";
    assert!(fleet.proxy.seen(looks).is_empty(), "nothing is asked before the webhook is answered");
    fleet.work().await;
    assert_eq!(fleet.proxy.seen(looks).len(), 1);
}

#[tokio::test]
async fn webhooks_that_lie_again_and_again_have_the_intent_fetched_less_often() {
    let fleet = Fleet::start().await;
    let object = |opened: &Value| json!({"id": intent(opened), "metadata": {"payment_id": id(opened)}});
    let looks = "GET /v1/payment_intents/";
    let (_, _, opened) = fleet.opened().await;
    let lie = async || {
        for _ in 0..3 {
            fleet.webhook("payment_intent.succeeded", object(&opened)).await.ok(200);
            fleet.work().await;
        }
        fleet.proxy.seen(looks).len()
    };
    assert_eq!(lie().await, 1, "the first look changed nothing");
    fleet.advance(2);
    assert_eq!(lie().await, 2);
    fleet.advance(3);
    assert_eq!(lie().await, 2, "the next one is four seconds later");
    // The first webhook of another customer's payment does not wait.
    let (_, _, other) = fleet.opened().await;
    fleet.customer(&other, "pm_card_visa").await.ok(200);
    fleet.webhook("payment_intent.succeeded", object(&other)).await.ok(200);
    fleet.work().await;
    assert_eq!(fleet.payment(id(&other)).await["status"], "completed");
    fleet.advance(1);
    fleet.customer(&opened, "pm_card_visa").await.ok(200);
    fleet.until_status(id(&opened), "completed").await;
}

#[tokio::test]
async fn an_overloaded_provider_is_asked_again_later() {
    let fleet = Fleet::start().await;
    for status in [429, 503] {
        let (_, _, opened) = fleet.opened().await;
        fleet.advance(400);
        fleet.customer(&opened, "pm_card_visa").await.ok(200);
        let object = json!({"id": intent(&opened), "metadata": {"payment_id": id(&opened)}});
        fleet.proxy.disturb("GET /v1/payment_intents/", Disturbance::Answer(status, "{}"));
        fleet.webhook("payment_intent.succeeded", object).await.ok(200);
        let due = fleet.work().await.unwrap();
        assert_eq!(fleet.payment(id(&opened)).await["status"], "pending");
        fleet.clock.set(due);
        fleet.until_status(id(&opened), "completed").await;
    }
}

#[tokio::test]
async fn an_event_of_any_shape_is_received_and_only_a_broken_body_is_rejected() {
    let fleet = Fleet::start().await;
    let (order, _, opened) = fleet.opened().await;
    let own = intent(&opened);
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
        assert_eq!(fleet.raw_webhook(body, Some(&signature)).await.ok(200), json!({"received": true}));
        fleet.work().await;
    }
    for body in ["", "[]", "{", "not JSON"] {
        let signature = fleet.signature(OLD_WEBHOOK_SECRET, body);
        fleet.raw_webhook(body.to_owned(), Some(&signature)).await.refused(400, "MALFORMED_BODY");
    }
    assert_eq!(fleet.payment(id(&opened)).await["status"], "pending");
    assert_eq!(fleet.event_kinds(order).await, ["payment.created"]);
}

#[tokio::test]
async fn what_is_not_ours_is_taken_and_changes_nothing() {
    let fleet = Fleet::start().await;
    let (order, _, opened) = fleet.opened().await;
    let unknown = "0190163d-8694-739b-aea5-966c26f8ad91";
    for object in [
        json!({"id": "pi_x", "status": "succeeded", "currency": "usd", "amount_received": 1}),
        json!({"id": "pi_x", "status": "succeeded", "currency": "usd", "metadata": {"payment_id": unknown}}),
        json!({"id": "pi_x", "status": "succeeded", "currency": "usd", "metadata": {"payment_id": "7"}}),
    ] {
        assert_eq!(fleet.webhook("payment_intent.succeeded", object).await.ok(200), json!({"received": true}));
    }
    fleet.webhook("customer.created", json!({"id": "cus_1"})).await.ok(200);
    fleet.webhook("charge.refunded", json!({"id": "ch_1", "payment_intent": "pi_x"})).await.ok(200);
    let refund = json!({"id": "re_1", "status": "succeeded", "amount": 1, "payment_intent": "pi_x"});
    fleet.webhook("refund.updated", refund).await.ok(200);
    fleet.work().await;
    assert_eq!(fleet.payment(id(&opened)).await["status"], "pending");
    assert_eq!(fleet.event_kinds(order).await, ["payment.created"]);
}

#[tokio::test]
async fn repeated_and_late_webhooks_change_nothing_twice() {
    let fleet = Fleet::start().await;
    let (order, _, paid) = fleet.paid().await;
    let refunded = fleet.refund(&paid, Some(json!({"amount": 10}))).await.ok(200);
    let intent_id = refunded["provider_transaction_id"].as_str().unwrap();
    fleet.work().await;
    let before = (fleet.payment(&paid).await, fleet.event_kinds(order).await);
    let told = fleet.stripe(Method::GET, "/v1/events", &[("limit", "100")]).await;
    for event in told["data"].as_array().unwrap() {
        fleet.webhook(event["type"].as_str().unwrap(), event["data"]["object"].clone()).await.ok(200);
    }
    let declined = json!({
        "id": intent_id, "status": "requires_payment_method", "currency": "usd",
        "last_payment_error": {"message": "Declined."},
    });
    fleet.webhook("payment_intent.payment_failed", declined).await.ok(200);
    let canceled = json!({"id": intent_id, "status": "canceled", "currency": "usd"});
    fleet.webhook("payment_intent.canceled", canceled).await.ok(200);
    fleet.work().await;
    assert_eq!((fleet.payment(&paid).await, fleet.event_kinds(order).await), before);
}

#[tokio::test]
async fn a_webhook_that_overtakes_our_own_answer_finds_its_payment() {
    let fleet = Arc::new(Fleet::start().await);
    let user = fleet.user();
    let order = fleet.order(user, 10_000);
    let release = Arc::new(Notify::new());
    fleet.proxy.disturb("POST /v1/payment_intents", Disturbance::Slow(release.clone()));
    let paying = tokio::spawn({
        let fleet = fleet.clone();
        async move { fleet.pay(order, user).await }
    });
    let made = eventually("the intent is made", PATIENCE, || async {
        let list = fleet.stripe(Method::GET, "/v1/payment_intents", &[]).await;
        list["data"].get(0).map(|intent| intent["id"].as_str().unwrap().to_owned())
    })
    .await;
    let card = [("payment_method", "pm_card_visa")];
    fleet.stripe(Method::POST, &format!("/v1/payment_intents/{made}/confirm"), &card).await;
    // The webhook is answered while our own call is still under way, and looked into after it.
    let webhooks = || async {
        let list = fleet.stripe(Method::GET, "/v1/events", &[]).await;
        (list["data"][0]["pending_webhooks"] == 0).then_some(())
    };
    eventually("the webhook is received", PATIENCE, webhooks).await;
    release.notify_one();
    let answer = paying.await.unwrap().ok(201);
    assert_eq!(answer["payment"]["provider_transaction_id"], made);
    fleet.until_status(id(&answer), "completed").await;
    fleet.work().await;
    assert_eq!(fleet.event_kinds(order).await, ["payment.created", "payment.completed"]);
}

#[tokio::test]
async fn a_refund_by_the_provider_is_recorded_as_its_own() {
    let fleet = Fleet::start().await;
    let (order, _, paid) = fleet.paid().await;
    let intent_id = fleet.payment(&paid).await["provider_transaction_id"].as_str().unwrap().to_owned();
    let form = [("payment_intent", intent_id.as_str()), ("amount", "2500")];
    fleet.stripe(Method::POST, "/v1/refunds", &form).await;
    let payment =
        fleet.until(&paid, "the refund is recorded", |payment| payment["refunded_amount"] == json!(25.0)).await;
    assert_eq!(payment["refunds"][0]["cause"], "provider");
    fleet.work().await;
    assert_eq!(fleet.payment(&paid).await["refunds"].as_array().unwrap().len(), 1);
    assert_eq!(fleet.event_kinds(order).await, ["payment.created", "payment.completed", "payment.refunded"]);
    fleet.refund(&paid, Some(json!({"amount": 75.01}))).await.refused(400, "REFUND_TOO_LARGE");
}

#[tokio::test]
async fn a_webhook_must_be_signed() {
    let fleet = Fleet::start().await;
    let (_, _, opened) = fleet.opened().await;
    let object = json!({"id": intent(&opened), "status": "canceled", "currency": "usd"});
    let body = json!({"type": "payment_intent.canceled", "data": {"object": object}}).to_string();
    fleet.raw_webhook(body.clone(), None).await.refused(400, "INVALID_SIGNATURE");
    fleet.raw_webhook(body.clone(), Some("t=1,v1=00")).await.refused(400, "INVALID_SIGNATURE");
    let wrong = fleet.signature("whsec_other", &body);
    fleet.raw_webhook(body.clone(), Some(&wrong)).await.refused(400, "INVALID_SIGNATURE");
    let old = fleet.signature(OLD_WEBHOOK_SECRET, &body);
    fleet.advance(301);
    fleet.raw_webhook(body.clone(), Some(&old)).await.refused(400, "INVALID_SIGNATURE");
    assert_eq!(fleet.payment(id(&opened)).await["status"], "pending");
    let rotated = fleet.signature(OLD_WEBHOOK_SECRET, &body);
    fleet.raw_webhook(body, Some(&rotated)).await.ok(200);
}

fn leaked(text: String) -> &'static str {
    text.leak()
}

#[tokio::test]
async fn what_a_lying_provider_says_is_cleaned_before_it_is_stored() {
    let fleet = Fleet::start().await;
    let (_, _, opened) = fleet.opened().await;
    let message = format!("No\\u0000 money\\u001b[31m{}", "!".repeat(5_000));
    let declined = format!(
        r#"{{"id":"{}","status":"requires_payment_method","currency":"us\u0000d","last_payment_error":{{"message":"{message}"}}}}"#,
        intent(&opened)
    );
    fleet.proxy.disturb("GET /v1/payment_intents/", Disturbance::Answer(200, leaked(declined)));
    let object = json!({"id": intent(&opened), "metadata": {"payment_id": id(&opened)}});
    fleet.webhook("payment_intent.payment_failed", object).await.ok(200);
    fleet.work().await;
    let payment = fleet.payment(id(&opened)).await;
    assert_eq!(payment["status"], "failed");
    let reason = payment["failure_reason"].as_str().unwrap();
    assert!(reason.starts_with("No money[31m!") && reason.chars().count() == 500, "{reason}");

    let (order, _, paid) = fleet.paid().await;
    let made = format!(
        r#"{{"id":"re_\u0000x\n1","status":"failed","amount":10000,"payment_intent":"{}","failure_reason":"lo\u0000st\n"}}"#,
        fleet.payment(&paid).await["provider_transaction_id"].as_str().unwrap()
    );
    fleet.proxy.disturb("POST /v1/refunds", Disturbance::Answer(200, leaked(made)));
    let payment = fleet.refund(&paid, None).await.ok(200);
    assert_eq!(payment["refunds"][0]["status"], "failed");
    let (_, failed) = fleet.events(order).await.pop().unwrap();
    assert_eq!(failed["reason"], "lost");
    let refusal = r#"{"error":{"type":"invalid_request_error","message":"no\u0000t now"}}"#;
    fleet.proxy.disturb("POST /v1/refunds", Disturbance::Answer(400, refusal));
    fleet.refund(&paid, None).await.refused(502, "PROVIDER_ERROR");
    let (_, failed) = fleet.events(order).await.pop().unwrap();
    assert_eq!(failed["reason"], "not now");
}
