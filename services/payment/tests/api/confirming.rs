//! `PUT /api/payments/{id}/confirm`

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::Fleet;
use crate::support::proxy::Disturbance;

const CANCEL: &str = "POST /v1/payment_intents/";

fn id(opened: &Value) -> &str {
    opened["payment"]["id"].as_str().unwrap()
}

#[tokio::test]
async fn a_payment_made_elsewhere_is_completed_and_its_intent_cancelled() {
    let fleet = Fleet::start().await;
    let (order, _, opened) = fleet.opened().await;
    let intent = opened["payment"]["provider_transaction_id"].as_str().unwrap();
    let payment = fleet.confirm(id(&opened), "txn_123456").await.ok(200);
    assert_eq!((&payment["status"], &payment["provider_transaction_id"]), (&json!("completed"), &json!("txn_123456")));
    assert!(payment["processed_at"].is_string());
    assert_eq!(fleet.intent(intent).await["status"], "canceled");
    let again = fleet.confirm(id(&opened), "txn_123456").await.ok(200);
    assert_eq!(again, payment);
    fleet.confirm(id(&opened), "txn_other").await.refused(409, "PAYMENT_ALREADY_CONFIRMED");
    let expected = ["payment.created", "payment.processing", "payment.completed"];
    assert_eq!(fleet.event_kinds(order).await, expected);
}

#[tokio::test]
async fn transactions_need_not_be_unique() {
    let fleet = Fleet::start().await;
    for _ in 0..2 {
        let (_, _, opened) = fleet.opened().await;
        fleet.confirm(id(&opened), "txn_same").await.ok(200);
    }
}

#[tokio::test]
async fn who_may_confirm() {
    let fleet = Fleet::start().await;
    let (_, user, opened) = fleet.opened().await;
    let path = format!("/api/payments/{}/confirm", id(&opened));
    let body = json!({"provider_transaction_id": "txn"});
    fleet.send(Method::PUT, &path, None, Some(body.clone())).await.refused(401, "UNAUTHENTICATED");
    let token = fleet.token(user);
    fleet.send(Method::PUT, &path, Some(&token), Some(body.clone())).await.refused(403, "FORBIDDEN");
    fleet.send(Method::PUT, &path, Some(&fleet.admin()), Some(body)).await.ok(200);
}

#[tokio::test]
async fn bad_input_is_refused() {
    let fleet = Fleet::start().await;
    let (_, _, opened) = fleet.opened().await;
    let path = format!("/api/payments/{}/confirm", id(&opened));
    for body in
        [json!({}), json!({"provider_transaction_id": " "}), json!({"provider_transaction_id": "x".repeat(256)})]
    {
        let refusal = fleet.send(Method::PUT, &path, Some(&fleet.admin()), Some(body)).await;
        assert_eq!(refusal.refused(400, "VALIDATION_FAILED")["errors"][0]["field"], "provider_transaction_id");
    }
    fleet.confirm("0190163d-8694-739b-aea5-966c26f8ad91", "txn").await.refused(404, "PAYMENT_NOT_FOUND");
    fleet.confirm("7", "txn").await.refused(400, "VALIDATION_FAILED");
    assert_eq!(fleet.payment(id(&opened)).await["status"], "pending");
}

#[tokio::test]
async fn money_that_the_provider_took_wins() {
    let fleet = Fleet::start().await;
    let (_, _, paid) = fleet.paid().await;
    fleet.confirm(&paid, "txn").await.refused(409, "PAYMENT_ALREADY_CONFIRMED");

    // It succeeded, and nobody has told us.
    let (_, _, opened) = fleet.opened().await;
    fleet.advance(400);
    fleet.customer(&opened, "pm_card_visa").await.ok(200);
    fleet.confirm(id(&opened), "txn").await.refused(409, "PAYMENT_ALREADY_CONFIRMED");
    let payment = fleet.payment(id(&opened)).await;
    assert_eq!(payment["status"], "completed");
    assert_eq!(payment["provider_transaction_id"], opened["payment"]["provider_transaction_id"]);
}

#[tokio::test]
async fn what_failed_or_was_cancelled_cannot_be_confirmed() {
    let fleet = Fleet::start().await;
    let (order, user, declined) = fleet.opened().await;
    assert_eq!(fleet.customer(&declined, "pm_card_chargeDeclined").await.status, 402);
    fleet.until_status(id(&declined), "failed").await;
    fleet.confirm(id(&declined), "txn").await.refused(409, "PAYMENT_NOT_CONFIRMABLE");

    let replaced = fleet.pay(order, user).await.ok(201);
    let open = fleet.pay(order, user).await.ok(201);
    fleet.confirm(id(&replaced), "txn").await.refused(409, "PAYMENT_NOT_CONFIRMABLE");

    fleet.cancel_order(order).await;
    fleet.confirm(id(&open), "txn").await.refused(409, "PAYMENT_NOT_CONFIRMABLE");
    fleet.work().await;
    fleet.confirm(id(&open), "txn").await.refused(409, "PAYMENT_NOT_CONFIRMABLE");
}

#[tokio::test]
async fn repeated_at_the_same_time_it_is_confirmed_once() {
    let fleet = Arc::new(Fleet::start().await);
    let (order, _, opened) = fleet.opened().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let (fleet, id) = (fleet.clone(), id(&opened).to_owned());
        tasks.spawn(async move { fleet.confirm(&id, "txn_1").await });
    }
    while let Some(done) = tasks.join_next().await {
        assert_eq!(done.unwrap().ok(200)["status"], "completed");
    }
    let expected = ["payment.created", "payment.processing", "payment.completed"];
    assert_eq!(fleet.event_kinds(order).await, expected);
}

#[tokio::test]
async fn it_completes_later_where_the_provider_is_away() {
    let fleet = Fleet::start().await;
    for (disturbance, status, code) in [
        (Disturbance::Down, 503, "PROVIDER_UNAVAILABLE"),
        (Disturbance::AnswerLost, 503, "PROVIDER_UNAVAILABLE"),
        (Disturbance::Fault, 502, "PROVIDER_ERROR"),
    ] {
        let (order, user, opened) = fleet.opened().await;
        fleet.proxy.disturb(CANCEL, disturbance);
        fleet.confirm(id(&opened), "txn_1").await.refused(status, code);
        assert_eq!(fleet.payment(id(&opened)).await["status"], "processing");
        fleet.pay(order, user).await.refused(409, "PAYMENT_IN_PROGRESS");
        fleet.confirm(id(&opened), "txn_2").await.refused(409, "PAYMENT_ALREADY_CONFIRMED");
        fleet.advance(10);
        fleet.work().await;
        let payment = fleet.payment(id(&opened)).await;
        assert_eq!((&payment["status"], &payment["provider_transaction_id"]), (&json!("completed"), &json!("txn_1")));
        fleet.confirm(id(&opened), "txn_1").await.ok(200);
    }
}

#[tokio::test]
async fn a_repeat_takes_it_up_where_the_first_ended_by_a_fault() {
    let fleet = Fleet::start().await;
    let (_, _, opened) = fleet.opened().await;
    fleet.proxy.disturb(CANCEL, Disturbance::Down);
    fleet.confirm(id(&opened), "txn_1").await.refused(503, "PROVIDER_UNAVAILABLE");
    fleet.confirm(id(&opened), "txn_1").await.ok(200);
}

#[tokio::test]
async fn it_waits_until_the_order_shows_it_but_not_for_ever() {
    let fleet = Fleet::start().await;
    let (_, _, opened) = fleet.opened().await;
    let began = Instant::now();
    fleet.confirm(id(&opened), "txn_1").await.ok(200);
    let shown = began.elapsed();
    fleet.stub_services.go_blind();
    let (_, _, opened) = fleet.opened().await;
    let began = Instant::now();
    fleet.confirm(id(&opened), "txn_1").await.ok(200);
    let blind = began.elapsed();
    assert!(blind >= Duration::from_secs(2), "{blind:?}");
    assert!(shown < blind, "{shown:?}");
}
