//! What becomes of a payment when webhooks do not come, the provider is away, or the process dies.

use std::sync::Arc;

use chrono::Duration;
use common::clock::Clock;
use reqwest::Method;
use serde_json::json;
use testkit::eventually;
use tokio::sync::Notify;

use crate::support::proxy::Disturbance;
use crate::support::{Fleet, PATIENCE};

const CREATE: &str = "POST /v1/payment_intents";
const LOOK: &str = "GET /v1/payment_intents/";

#[tokio::test]
async fn a_webhook_that_never_comes_costs_time_only() {
    let fleet = Fleet::start().await;
    let (order, _, opened) = fleet.opened().await;
    // Webhooks are refused: their signatures are too old.
    fleet.advance(400);
    fleet.customer(&opened, "pm_card_visa").await.ok(200);
    fleet.work().await;
    assert_eq!(fleet.payment(opened["payment"]["id"].as_str().unwrap()).await["status"], "completed");
    assert_eq!(fleet.event_kinds(order).await, ["payment.created", "payment.completed"]);
    assert_eq!(fleet.work().await, None, "nothing is left to do");
}

#[tokio::test]
async fn an_open_payment_is_asked_about_ever_more_rarely() {
    let fleet = Fleet::start().await;
    fleet.opened().await;
    let mut pauses = Vec::new();
    for _ in 0..8 {
        let due = fleet.work().await.unwrap();
        pauses.push((due - fleet.clock.now()).num_seconds());
        fleet.clock.set(due - Duration::milliseconds(1));
        let asked = fleet.proxy.seen(LOOK).len();
        fleet.work().await;
        assert_eq!(fleet.proxy.seen(LOOK).len(), asked, "too early");
        fleet.clock.set(due);
    }
    assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 600, 600]);
}

#[tokio::test]
async fn an_intent_that_nobody_was_given_is_cancelled() {
    let fleet = Fleet::start().await;
    for disturbance in [Disturbance::AnswerLost, Disturbance::FaultAfterAll, Disturbance::Down, Disturbance::Fault] {
        let user = fleet.user();
        let order = fleet.order(user, 10_000);
        fleet.proxy.disturb(CREATE, disturbance);
        assert!(fleet.pay(order, user).await.status >= 500);
        fleet.advance(10);
        fleet.work().await;
        let payments = fleet.get(&format!("/api/payments/order/{order}"), &fleet.token(user)).await.ok(200);
        assert_eq!((payments.as_array().unwrap().len(), &payments[0]["status"]), (1, &json!("cancelled")));
        assert_eq!(fleet.event_kinds(order).await, ["payment.created", "payment.cancelled"]);
    }
    let intents = fleet.stripe(Method::GET, "/v1/payment_intents", &[("limit", "100")]).await;
    assert!(intents["data"].as_array().unwrap().iter().all(|intent| intent["status"] == "canceled"), "{intents}");
}

#[tokio::test]
async fn a_key_is_used_again_after_no_answer_and_not_after_a_fault() {
    let fleet = Fleet::start().await;
    for (disturbance, calls, keys) in [(Disturbance::AnswerLost, 2, 1), (Disturbance::FaultAfterAll, 1, 1)] {
        let user = fleet.user();
        let order = fleet.order(user, 10_000);
        let before = fleet.proxy.seen(CREATE).into_iter().flatten().count();
        fleet.proxy.disturb(CREATE, disturbance);
        assert!(fleet.pay(order, user).await.status >= 500);
        fleet.advance(10);
        fleet.work().await;
        let mut seen: Vec<_> = fleet.proxy.seen(CREATE).into_iter().flatten().skip(before).collect();
        assert_eq!(seen.len(), calls);
        seen.dedup();
        assert_eq!(seen.len(), keys);
    }
}

#[tokio::test]
async fn what_a_dead_process_began_is_taken_up_when_its_lease_has_run_out() {
    let mut fleet = Arc::new(Fleet::start().await);
    let user = fleet.user();
    let order = fleet.order(user, 10_000);
    fleet.proxy.disturb(CREATE, Disturbance::Slow(Arc::new(Notify::new())));
    let dying = tokio::spawn({
        let fleet = fleet.clone();
        async move { fleet.pay(order, user).await }
    });
    eventually("the intent is made", PATIENCE, || async {
        let list = fleet.stripe(Method::GET, "/v1/payment_intents", &[]).await;
        list["data"].get(0).cloned()
    })
    .await;
    dying.abort();
    dying.await.err().unwrap();
    Arc::get_mut(&mut fleet).unwrap().kill_and_start().await;
    fleet.pay(order, user).await.refused(409, "PAYMENT_IN_PROGRESS");
    fleet.advance(10);
    fleet.work().await;
    let payments = fleet.get(&format!("/api/payments/order/{order}"), &fleet.token(user)).await.ok(200);
    assert_eq!(payments[0]["status"], "cancelled");
    let intent = fleet.intent(payments[0]["provider_transaction_id"].as_str().unwrap()).await;
    assert_eq!(intent["status"], "canceled");
    fleet.pay(order, user).await.ok(201);
}

#[tokio::test]
async fn promises_survive_a_restart() {
    let mut fleet = Fleet::start().await;
    let (paid_order, _, paid) = fleet.paid().await;
    let (open_order, _, opened) = fleet.opened().await;
    let (_, _, refunded) = fleet.paid().await;
    let (_, _, settling) = fleet.opened().await;
    fleet.proxy.disturb_all(Some(Disturbance::Down));
    fleet.cancel_order(paid_order).await;
    fleet.cancel_order(open_order).await;
    fleet.refund(&refunded, None).await.ok(200);
    let settling = settling["payment"]["id"].as_str().unwrap();
    fleet.confirm(settling, "txn_1").await.refused(503, "PROVIDER_UNAVAILABLE");
    fleet.work().await;
    fleet.kill_and_start().await;
    fleet.work().await;
    fleet.proxy.disturb_all(None);
    fleet.advance(60);
    fleet.work().await;
    assert_eq!(fleet.payment(&paid).await["status"], "refunded");
    assert_eq!(fleet.payment(opened["payment"]["id"].as_str().unwrap()).await["status"], "cancelled");
    assert_eq!(fleet.payment(&refunded).await["status"], "refunded");
    assert_eq!(fleet.payment(settling).await["status"], "completed");
    // What is left are looks at the refunds, which may still fail.
    assert!(fleet.work().await.unwrap() - fleet.clock.now() >= Duration::seconds(10));
}

#[tokio::test]
async fn an_intent_that_the_provider_lost_is_given_up() {
    let fleet = Fleet::start().await;
    let (_, _, opened) = fleet.opened().await;
    let missing = r#"{"error":{"type":"invalid_request_error","code":"resource_missing","message":"No such intent"}}"#;
    fleet.proxy.disturb(LOOK, Disturbance::Answer(404, missing));
    fleet.advance(10);
    fleet.work().await;
    assert_eq!(fleet.payment(opened["payment"]["id"].as_str().unwrap()).await["status"], "cancelled");
}

#[tokio::test]
async fn what_falls_due_at_once_is_done_at_once_and_told() {
    let fleet = Fleet::start_by_itself().await;
    let (_, _, declined) = fleet.opened().await;
    assert_eq!(fleet.customer(&declined, "pm_card_chargeDeclined").await.status, 402);
    let intent = declined["payment"]["provider_transaction_id"].as_str().unwrap();
    eventually("the intent is cancelled", PATIENCE, || async {
        (fleet.intent(intent).await["status"] == "canceled").then_some(())
    })
    .await;
    let (order, _, paid) = fleet.paid().await;
    fleet.cancel_order(order).await;
    fleet.until_status(&paid, "refunded").await;
    eventually("all events are published", PATIENCE, || async {
        (fleet.get("/ops/outbox", &fleet.admin()).await.ok(200)["pending"] == 0).then_some(())
    })
    .await;
}
