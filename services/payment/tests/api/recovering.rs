//! Recovery of payments after missing webhooks, provider failures and crashes.

use std::sync::Arc;
use testkit::ResponseExt as _;

use chrono::Duration;
use common::telemetry::clock::Clock;
use reqwest::Method;
use serde_json::json;
use testkit::eventually;
use tokio::sync::Notify;

use crate::support::proxy::ProviderFault;
use crate::support::{Fleet, TIMEOUT, intent_id, payment_id};

const CREATE: &str = "POST /v1/payment_intents";
const FETCH: &str = "GET /v1/payment_intents/";

#[tokio::test]
async fn missing_webhook_only_delays_the_payment() {
    let fleet = Fleet::start().await;
    let (order, _, started) = fleet.started().await;
    // Webhooks are rejected: their signatures are too old.
    fleet.advance(400);
    fleet.pay_as_customer(&started, "pm_card_visa").await.json(200);
    fleet.reconcile().await;
    assert_eq!(fleet.payment(payment_id(&started)).await["status"], "completed");
    assert_eq!(fleet.event_kinds(order).await, ["payment.created", "payment.completed"]);
    assert_eq!(fleet.reconcile().await, None, "no task is left");
}

#[tokio::test]
async fn open_payment_is_polled_with_growing_delay() {
    let fleet = Fleet::start().await;
    fleet.started().await;
    let mut delays = Vec::new();
    for _ in 0..8 {
        let due = fleet.reconcile().await.unwrap();
        delays.push((due - fleet.clock.now()).num_seconds());
        fleet.clock.set(due - Duration::milliseconds(1));
        let called = fleet.proxy.calls(FETCH).len();
        fleet.reconcile().await;
        assert_eq!(fleet.proxy.calls(FETCH).len(), called, "too early");
        fleet.clock.set(due);
    }
    assert_eq!(delays, [10, 20, 40, 80, 160, 320, 600, 600]);
}

#[tokio::test]
async fn intent_without_a_client_is_cancelled() {
    let fleet = Fleet::start().await;
    for fault in [
        ProviderFault::ResponseLost,
        ProviderFault::ServerErrorAfterExecution,
        ProviderFault::Down,
        ProviderFault::ServerError,
    ] {
        let user = fleet.user();
        let order = fleet.order(user, 10_000);
        fleet.proxy.inject(CREATE, fault);
        assert!(fleet.pay(order, user).await.status >= 500);
        fleet.advance(10);
        fleet.reconcile().await;
        let payments = fleet.get(&format!("/api/payments/order/{order}"), &fleet.token(user)).await.json(200);
        assert_eq!((payments.as_array().unwrap().len(), &payments[0]["status"]), (1, &json!("cancelled")));
        assert_eq!(fleet.event_kinds(order).await, ["payment.created", "payment.cancelled"]);
    }
    let intents = fleet.stripe(Method::GET, "/v1/payment_intents", &[("limit", "100")]).await;
    assert!(intents["data"].as_array().unwrap().iter().all(|intent| intent["status"] == "canceled"), "{intents}");
}

#[tokio::test]
async fn key_is_reused_after_no_response_and_not_after_a_server_error() {
    let fleet = Fleet::start().await;
    for (fault, calls, keys) in [(ProviderFault::ResponseLost, 2, 1), (ProviderFault::ServerErrorAfterExecution, 1, 1)]
    {
        let user = fleet.user();
        let order = fleet.order(user, 10_000);
        let before = fleet.proxy.calls(CREATE).into_iter().flatten().count();
        fleet.proxy.inject(CREATE, fault);
        assert!(fleet.pay(order, user).await.status >= 500);
        fleet.advance(10);
        fleet.reconcile().await;
        let mut keys_used: Vec<_> = fleet.proxy.calls(CREATE).into_iter().flatten().skip(before).collect();
        assert_eq!(keys_used.len(), calls);
        keys_used.dedup();
        assert_eq!(keys_used.len(), keys);
    }
}

#[tokio::test]
async fn payment_of_a_dead_process_is_resumed_after_its_lease_expires() {
    let mut fleet = Arc::new(Fleet::start().await);
    let user = fleet.user();
    let order = fleet.order(user, 10_000);
    fleet.proxy.inject(CREATE, ProviderFault::Slow(Arc::new(Notify::new())));
    let dying = tokio::spawn({
        let fleet = fleet.clone();
        async move { fleet.pay(order, user).await }
    });
    eventually("the intent is created", TIMEOUT, || async {
        let list = fleet.stripe(Method::GET, "/v1/payment_intents", &[]).await;
        list["data"].get(0).cloned()
    })
    .await;
    dying.abort();
    dying.await.err().unwrap();
    Arc::get_mut(&mut fleet).unwrap().kill_and_restart().await;
    fleet.pay(order, user).await.problem(409, "PAYMENT_IN_PROGRESS");
    fleet.advance(10);
    fleet.reconcile().await;
    let payments = fleet.get(&format!("/api/payments/order/{order}"), &fleet.token(user)).await.json(200);
    assert_eq!(payments[0]["status"], "cancelled");
    let intent = fleet.intent(payments[0]["provider_transaction_id"].as_str().unwrap()).await;
    assert_eq!(intent["status"], "canceled");
    fleet.pay(order, user).await.json(201);
}

#[tokio::test]
async fn pending_tasks_survive_a_restart() {
    let mut fleet = Fleet::start().await;
    let (paid_order, _, paid) = fleet.paid().await;
    let (open_order, _, started) = fleet.started().await;
    let (_, _, refunded) = fleet.paid().await;
    let (_, _, settling) = fleet.started().await;
    fleet.proxy.inject_always(Some(ProviderFault::Down));
    fleet.cancel_order(paid_order).await;
    fleet.cancel_order(open_order).await;
    fleet.refund(&refunded, None).await.json(200);
    let settling = payment_id(&settling);
    fleet.confirm(settling, "txn_1").await.problem(503, "PROVIDER_UNAVAILABLE");
    fleet.reconcile().await;
    fleet.kill_and_restart().await;
    fleet.reconcile().await;
    fleet.proxy.inject_always(None);
    fleet.advance(60);
    fleet.reconcile().await;
    assert_eq!(fleet.payment(&paid).await["status"], "refunded");
    assert_eq!(fleet.payment(payment_id(&started)).await["status"], "cancelled");
    assert_eq!(fleet.payment(&refunded).await["status"], "refunded");
    assert_eq!(fleet.payment(settling).await["status"], "completed");
    // Only checks of the refunds are left, which may still fail.
    assert!(fleet.reconcile().await.unwrap() - fleet.clock.now() >= Duration::seconds(10));
}

#[tokio::test]
async fn payment_with_a_missing_intent_is_cancelled() {
    let fleet = Fleet::start().await;
    let (_, _, started) = fleet.started().await;
    let missing = r#"{"error":{"type":"invalid_request_error","code":"resource_missing","message":"No such intent"}}"#;
    fleet.proxy.inject(FETCH, ProviderFault::Respond(404, missing));
    fleet.advance(10);
    fleet.reconcile().await;
    assert_eq!(fleet.payment(payment_id(&started)).await["status"], "cancelled");
}

#[tokio::test]
async fn task_that_is_due_at_once_runs_at_once_and_is_published() {
    let fleet = Fleet::start_automatic().await;
    let (_, _, declined) = fleet.started().await;
    assert_eq!(fleet.pay_as_customer(&declined, "pm_card_chargeDeclined").await.status, 402);
    let intent = intent_id(&declined);
    eventually("the intent is cancelled", TIMEOUT, || async {
        (fleet.intent(intent).await["status"] == "canceled").then_some(())
    })
    .await;
    let (order, _, paid) = fleet.paid().await;
    fleet.cancel_order(order).await;
    fleet.until_status(&paid, "refunded").await;
    eventually("all events are published", TIMEOUT, || async {
        (fleet.get("/ops/outbox", &fleet.admin()).await.json(200)["pending"] == 0).then_some(())
    })
    .await;
}
