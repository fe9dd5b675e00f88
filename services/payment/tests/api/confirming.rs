//! `PUT /api/payments/{id}/confirm`

use std::sync::Arc;
use std::time::{Duration, Instant};
use testkit::ResponseExt as _;

use reqwest::Method;
use serde_json::json;

use crate::support::proxy::ProviderFault;
use crate::support::{Fleet, intent_id, payment_id};

const CANCEL: &str = "POST /v1/payment_intents/";

#[tokio::test]
async fn external_payment_is_completed_and_its_intent_cancelled() {
    let fleet = Fleet::start().await;
    let (order, _, started) = fleet.started().await;
    let intent = intent_id(&started);
    let payment = fleet.confirm(payment_id(&started), "txn_123456").await.json(200);
    assert_eq!((&payment["status"], &payment["provider_transaction_id"]), (&json!("completed"), &json!("txn_123456")));
    assert!(payment["processed_at"].is_string());
    assert_eq!(fleet.intent(intent).await["status"], "canceled");
    let again = fleet.confirm(payment_id(&started), "txn_123456").await.json(200);
    assert_eq!(again, payment);
    fleet.confirm(payment_id(&started), "txn_other").await.problem(409, "PAYMENT_ALREADY_CONFIRMED");
    let expected = ["payment.created", "payment.processing", "payment.completed"];
    assert_eq!(fleet.event_kinds(order).await, expected);
}

#[tokio::test]
async fn transactions_need_not_be_unique() {
    let fleet = Fleet::start().await;
    for _ in 0..2 {
        let (_, _, started) = fleet.started().await;
        fleet.confirm(payment_id(&started), "txn_same").await.json(200);
    }
}

#[tokio::test]
async fn only_admins_and_services_confirm() {
    let fleet = Fleet::start().await;
    let (_, user, started) = fleet.started().await;
    let path = format!("/api/payments/{}/confirm", payment_id(&started));
    let body = json!({"provider_transaction_id": "txn"});
    fleet.send(Method::PUT, &path, None, Some(body.clone())).await.problem(401, "UNAUTHENTICATED");
    let token = fleet.token(user);
    fleet.send(Method::PUT, &path, Some(&token), Some(body.clone())).await.problem(403, "FORBIDDEN");
    fleet.send(Method::PUT, &path, Some(&fleet.admin()), Some(body)).await.json(200);
}

#[tokio::test]
async fn invalid_input_is_rejected() {
    let fleet = Fleet::start().await;
    let (_, _, started) = fleet.started().await;
    let path = format!("/api/payments/{}/confirm", payment_id(&started));
    for body in
        [json!({}), json!({"provider_transaction_id": " "}), json!({"provider_transaction_id": "x".repeat(256)})]
    {
        let problem = fleet.send(Method::PUT, &path, Some(&fleet.admin()), Some(body)).await;
        assert_eq!(problem.problem(400, "VALIDATION_FAILED")["errors"][0]["field"], "provider_transaction_id");
    }
    fleet.confirm("0190163d-8694-739b-aea5-966c26f8ad91", "txn").await.problem(404, "PAYMENT_NOT_FOUND");
    fleet.confirm("7", "txn").await.problem(400, "VALIDATION_FAILED");
    assert_eq!(fleet.payment(payment_id(&started)).await["status"], "pending");
}

#[tokio::test]
async fn provider_capture_wins_over_a_confirmation() {
    let fleet = Fleet::start().await;
    let (_, _, paid) = fleet.paid().await;
    fleet.confirm(&paid, "txn").await.problem(409, "PAYMENT_ALREADY_CONFIRMED");

    // Captured, without a webhook.
    let (_, _, started) = fleet.started().await;
    fleet.advance(400);
    fleet.pay_as_customer(&started, "pm_card_visa").await.json(200);
    fleet.confirm(payment_id(&started), "txn").await.problem(409, "PAYMENT_ALREADY_CONFIRMED");
    let payment = fleet.payment(payment_id(&started)).await;
    assert_eq!(payment["status"], "completed");
    assert_eq!(payment["provider_transaction_id"], started["payment"]["provider_transaction_id"]);
}

#[tokio::test]
async fn failed_or_cancelled_payment_cannot_be_confirmed() {
    let fleet = Fleet::start().await;
    let (order, user, declined) = fleet.started().await;
    assert_eq!(fleet.pay_as_customer(&declined, "pm_card_chargeDeclined").await.status, 402);
    fleet.until_status(payment_id(&declined), "failed").await;
    fleet.confirm(payment_id(&declined), "txn").await.problem(409, "PAYMENT_NOT_CONFIRMABLE");

    let replaced = fleet.pay(order, user).await.json(201);
    let open = fleet.pay(order, user).await.json(201);
    fleet.confirm(payment_id(&replaced), "txn").await.problem(409, "PAYMENT_NOT_CONFIRMABLE");

    fleet.cancel_order(order).await;
    fleet.confirm(payment_id(&open), "txn").await.problem(409, "PAYMENT_NOT_CONFIRMABLE");
    fleet.reconcile().await;
    fleet.confirm(payment_id(&open), "txn").await.problem(409, "PAYMENT_NOT_CONFIRMABLE");
}

#[tokio::test]
async fn concurrent_confirmations_confirm_once() {
    let fleet = Arc::new(Fleet::start().await);
    let (order, _, started) = fleet.started().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let (fleet, id) = (fleet.clone(), payment_id(&started).to_owned());
        tasks.spawn(async move { fleet.confirm(&id, "txn_1").await });
    }
    while let Some(done) = tasks.join_next().await {
        assert_eq!(done.unwrap().json(200)["status"], "completed");
    }
    let expected = ["payment.created", "payment.processing", "payment.completed"];
    assert_eq!(fleet.event_kinds(order).await, expected);
}

#[tokio::test]
async fn confirmation_completes_later_if_the_provider_is_unavailable() {
    let fleet = Fleet::start().await;
    for (fault, status, code) in [
        (ProviderFault::Down, 503, "PROVIDER_UNAVAILABLE"),
        (ProviderFault::ResponseLost, 503, "PROVIDER_UNAVAILABLE"),
        (ProviderFault::ServerError, 502, "PROVIDER_ERROR"),
    ] {
        let (order, user, started) = fleet.started().await;
        fleet.proxy.inject(CANCEL, fault);
        fleet.confirm(payment_id(&started), "txn_1").await.problem(status, code);
        assert_eq!(fleet.payment(payment_id(&started)).await["status"], "processing");
        fleet.pay(order, user).await.problem(409, "PAYMENT_IN_PROGRESS");
        fleet.confirm(payment_id(&started), "txn_2").await.problem(409, "PAYMENT_ALREADY_CONFIRMED");
        fleet.advance(10);
        fleet.reconcile().await;
        let payment = fleet.payment(payment_id(&started)).await;
        assert_eq!((&payment["status"], &payment["provider_transaction_id"]), (&json!("completed"), &json!("txn_1")));
        fleet.confirm(payment_id(&started), "txn_1").await.json(200);
    }
}

#[tokio::test]
async fn repeated_confirmation_resumes_after_an_error() {
    let fleet = Fleet::start().await;
    let (_, _, started) = fleet.started().await;
    fleet.proxy.inject(CANCEL, ProviderFault::Down);
    fleet.confirm(payment_id(&started), "txn_1").await.problem(503, "PROVIDER_UNAVAILABLE");
    fleet.confirm(payment_id(&started), "txn_1").await.json(200);
}

#[tokio::test]
async fn confirmation_waits_for_the_order_up_to_two_seconds() {
    let fleet = Fleet::start().await;
    let (_, _, started) = fleet.started().await;
    let started_at = Instant::now();
    fleet.confirm(payment_id(&started), "txn_1").await.json(200);
    let visible_after = started_at.elapsed();
    fleet.stub_services.hide_payments();
    let (_, _, started) = fleet.started().await;
    let started_at = Instant::now();
    fleet.confirm(payment_id(&started), "txn_1").await.json(200);
    let hidden_after = started_at.elapsed();
    assert!(hidden_after >= Duration::from_secs(2), "{hidden_after:?}");
    assert!(visible_after < hidden_after, "{visible_after:?}");
}
