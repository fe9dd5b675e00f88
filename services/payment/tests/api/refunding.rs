//! `POST /api/payments/{id}/refund`

use std::sync::Arc;
use testkit::ResponseExt as _;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::proxy::ProviderFault;
use crate::support::{Fleet, payment_id};

const REFUND: &str = "POST /v1/refunds";

async fn refunds_at_provider(fleet: &Fleet, payment: &Value) -> Vec<(i64, String)> {
    let intent = payment["provider_transaction_id"].as_str().unwrap();
    let list = fleet.stripe(Method::GET, "/v1/refunds", &[("payment_intent", intent)]).await;
    let listed = list["data"].as_array().unwrap().iter();
    listed.map(|one| (one["amount"].as_i64().unwrap(), one["status"].as_str().unwrap().to_owned())).collect()
}

#[tokio::test]
async fn request_without_a_body_refunds_the_whole_payment() {
    let fleet = Fleet::start().await;
    let (order, user, paid) = fleet.paid().await;
    let payment = fleet.refund(&paid, None).await.json(200);
    assert_eq!((&payment["status"], &payment["refunded_amount"]), (&json!("refunded"), &json!(100.0)));
    let refund = &payment["refunds"][0];
    assert_eq!((&refund["amount"], &refund["status"]), (&json!(100.0), &json!("succeeded")));
    assert_eq!((&refund["cause"], &refund["reason"]), (&json!("granted"), &Value::Null));
    assert!(refund["id"].is_string() && refund["created_at"].is_string() && payment["refunded_at"].is_string());
    assert_eq!((&refund["actor"]["type"], &refund["attempts"]), (&json!("admin"), &json!(1)));
    assert_eq!((&refund["needs_attention"], refund.as_object().unwrap().len()), (&json!(false), 9), "{refund}");
    assert_eq!(refunds_at_provider(&fleet, &payment).await, [(10_000, "succeeded".to_owned())]);
    fleet.refund(&paid, None).await.problem(400, "NOT_REFUNDABLE");
    fleet.pay(order, user).await.problem(409, "ORDER_NOT_PAYABLE");
    let events = fleet.events(order).await;
    let (kind, data) = events.last().unwrap();
    assert_eq!(kind, "payment.refunded");
    assert_eq!((&data["refund_id"], &data["actor"]), (&refund["id"], &refund["actor"]));
    assert_eq!((&data["amount"], &data["refund_amount"]), (&json!(100.0), &json!(100.0)));
    assert_eq!((&data["refunded_total"], &data["cause"]), (&json!(100.0), &json!("granted")));
}

#[tokio::test]
async fn partial_refunds_add_up() {
    let fleet = Fleet::start().await;
    let (_, _, paid) = fleet.paid().await;
    let payment = fleet.refund(&paid, Some(json!({"amount": 30, "reason": "scratched"}))).await.json(200);
    assert_eq!((&payment["status"], &payment["refunded_amount"]), (&json!("completed"), &json!(30.0)));
    assert_eq!(payment["refunds"][0]["reason"], "scratched");
    fleet.refund(&paid, Some(json!({"amount": "70.01"}))).await.problem(400, "REFUND_TOO_LARGE");
    let payment = fleet.refund(&paid, Some(json!({}))).await.json(200);
    assert_eq!((&payment["status"], &payment["refunds"][1]["amount"]), (&json!("refunded"), &json!(70.0)));
}

#[tokio::test]
async fn only_admins_and_services_refund_captured_payments() {
    let fleet = Fleet::start().await;
    let (_, user, paid) = fleet.paid().await;
    let path = format!("/api/payments/{paid}/refund");
    fleet.send(Method::POST, &path, None, None).await.problem(401, "UNAUTHENTICATED");
    fleet.send(Method::POST, &path, Some(&fleet.token(user)), None).await.problem(403, "FORBIDDEN");
    for body in
        [json!({"amount": 0}), json!({"amount": -5}), json!({"amount": "x"}), json!({"reason": "x".repeat(501)})]
    {
        fleet.refund(&paid, Some(body)).await.problem(400, "VALIDATION_FAILED");
    }
    let unknown = "0190163d-8694-739b-aea5-966c26f8ad91";
    fleet.refund(unknown, None).await.problem(404, "PAYMENT_NOT_FOUND");
    let (_, _, started) = fleet.started().await;
    fleet.refund(payment_id(&started), None).await.problem(400, "NOT_REFUNDABLE");
    fleet.send(Method::POST, &path, Some(&fleet.service()), None).await.json(200);
}

#[tokio::test]
async fn concurrent_refunds_never_exceed_the_captured_amount() {
    let fleet = Arc::new(Fleet::start().await);
    let (_, _, paid) = fleet.paid().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (fleet, paid) = (fleet.clone(), paid.clone());
        tasks.spawn(async move { fleet.refund(&paid, Some(json!({"amount": 30}))).await });
    }
    let mut given = 0;
    while let Some(done) = tasks.join_next().await {
        let reply = done.unwrap();
        if reply.status == 200 {
            given += 1;
        } else {
            reply.problem(400, "REFUND_TOO_LARGE");
        }
    }
    assert_eq!(given, 3);
    let payment = fleet.payment(&paid).await;
    assert_eq!(payment["refunded_amount"], json!(90.0));
    assert_eq!(refunds_at_provider(&fleet, &payment).await.len(), 3);
}

#[tokio::test]
async fn rejected_refund_releases_its_amount() {
    let fleet = Fleet::start().await;
    let (order, _, paid) = fleet.paid().await;
    let problem = r#"{"error":{"type":"invalid_request_error","message":"not now"}}"#;
    fleet.proxy.inject(REFUND, ProviderFault::Respond(400, problem));
    fleet.refund(&paid, None).await.problem(502, "PROVIDER_ERROR");
    let payment = fleet.payment(&paid).await;
    assert_eq!((&payment["status"], &payment["refunds"][0]["status"]), (&json!("completed"), &json!("failed")));
    assert_eq!(payment["refunded_amount"], json!(0.0));
    fleet.refund(&paid, None).await.json(200);
    fleet.reconcile().await;
    assert_eq!(fleet.payment(&paid).await["refunded_amount"], json!(100.0));
    let expected = ["payment.created", "payment.completed", "payment.refund_failed", "payment.refunded"];
    assert_eq!(fleet.event_kinds(order).await, expected);
}

#[tokio::test]
async fn refund_is_made_once_if_the_response_is_lost() {
    let fleet = Fleet::start().await;
    for fault in [
        ProviderFault::Down,
        ProviderFault::ResponseLost,
        ProviderFault::ServerError,
        ProviderFault::ServerErrorAfterExecution,
        ProviderFault::Respond(429, "{}"),
    ] {
        let (order, _, paid) = fleet.paid().await;
        fleet.proxy.inject(REFUND, fault);
        let payment = fleet.refund(&paid, Some(json!({"amount": 40}))).await.json(200);
        assert_eq!(payment["refunds"][0]["amount"], json!(40.0));
        fleet.refund(&paid, Some(json!({"amount": 60.01}))).await.problem(400, "REFUND_TOO_LARGE");
        fleet.advance(10);
        fleet.reconcile().await;
        let payment = fleet.payment(&paid).await;
        assert_eq!(payment["refunded_amount"], json!(40.0), "{payment}");
        assert_eq!(payment["refunds"].as_array().unwrap().len(), 1);
        assert_eq!(refunds_at_provider(&fleet, &payment).await, [(4_000, "succeeded".to_owned())]);
        assert_eq!(fleet.event_kinds(order).await, ["payment.created", "payment.completed", "payment.refunded"]);
    }
}

#[tokio::test]
async fn slow_refund_is_pending_first() {
    let fleet = Fleet::start().await;
    let (order, _, paid) = fleet.paid_by("pm_card_pendingRefund").await;
    let payment = fleet.refund(&paid, None).await.json(200);
    assert_eq!((&payment["status"], &payment["refunds"][0]["status"]), (&json!("completed"), &json!("pending")));
    assert_eq!(payment["refunded_amount"], json!(0.0));
    fleet.until_status(&paid, "refunded").await;
    assert_eq!(fleet.event_kinds(order).await, ["payment.created", "payment.completed", "payment.refunded"]);
}

#[tokio::test]
async fn late_failure_of_a_refund_releases_its_amount_and_is_retried() {
    let fleet = Fleet::start().await;
    let (order, _, paid) = fleet.paid_by("pm_card_refundFail").await;
    fleet.refund(&paid, None).await.json(200);
    let payment = fleet.until_status(&paid, "completed").await;
    assert_eq!((&payment["refunded_amount"], &payment["refunded_at"]), (&json!(0.0), &Value::Null));
    assert_eq!(payment["refunds"][0]["status"], "failed");
    assert_eq!(fleet.payment(&paid).await["refunds"].as_array().unwrap().len(), 1, "not retried at once");
    let events = fleet.events(order).await;
    let listed: Vec<_> = events.iter().map(|(kind, data)| (kind.as_str(), data["version"].as_i64().unwrap())).collect();
    let expected =
        [("payment.created", 1), ("payment.completed", 2), ("payment.refunded", 3), ("payment.refund_failed", 4)];
    assert_eq!(listed, expected);
    let (_, failed) = &events[3];
    assert_eq!((&failed["refunded_total"], &failed["amount"]), (&json!(0.0), &json!(100.0)));
    assert_eq!(
        (&failed["refund_id"], &failed["reason"]),
        (&payment["refunds"][0]["id"], &json!("expired_or_canceled_card"))
    );
    fleet.advance(10);
    fleet.reconcile().await;
    let refunds = fleet.payment(&paid).await["refunds"].clone();
    assert_eq!((refunds.as_array().unwrap().len(), &refunds[1]["cause"]), (2, &json!("granted")));
}

#[tokio::test]
async fn external_payment_is_refunded_manually() {
    let fleet = Fleet::start().await;
    let (order, _, started) = fleet.started().await;
    let id = payment_id(&started);
    fleet.confirm(id, "txn_1").await.json(200);
    let payment = fleet.refund(id, Some(json!({"amount": 25}))).await.json(200);
    assert_eq!((&payment["refunded_amount"], &payment["refunds"][0]["status"]), (&json!(25.0), &json!("succeeded")));
    fleet.cancel_order(order).await;
    fleet.reconcile().await;
    fleet.advance(3600);
    fleet.reconcile().await;
    let payment = fleet.payment(id).await;
    assert_eq!(
        (&payment["refunds"][1]["status"], &payment["refunds"][1]["cause"]),
        (&json!("pending"), &json!("cancelled"))
    );
    assert_eq!(payment["refunds"][1]["amount"], json!(75.0));
    fleet.refund(id, Some(json!({"amount": 75.01}))).await.problem(400, "REFUND_TOO_LARGE");
    let payment = fleet.refund(id, None).await.json(200);
    assert_eq!((&payment["status"], payment["refunds"].as_array().unwrap().len()), (&json!("refunded"), 2));
    assert!(fleet.proxy.calls(REFUND).is_empty(), "the provider is not called");
}

/// Returns a payment whose refund failed late five times, and that refund.
async fn exhausted(fleet: &Fleet) -> (String, Value) {
    let (_, _, paid) = fleet.paid_by("pm_card_refundFail").await;
    fleet.refund(&paid, None).await.json(200);
    // Webhooks are signed with the system clock: the delays stay within its tolerance.
    for (attempt, delay) in (1..).zip([10, 20, 40, 80, 0]) {
        let failed = |payment: &Value| {
            let refunds = payment["refunds"].as_array().unwrap();
            refunds.len() == attempt && refunds.iter().all(|refund| refund["status"] == "failed")
        };
        fleet.until(&paid, "the attempt fails", failed).await;
        fleet.advance(delay);
    }
    let payment = fleet.payment(&paid).await;
    let refunds = payment["refunds"].as_array().unwrap();
    let listed: Vec<_> =
        refunds.iter().map(|one| (one["attempts"].as_i64().unwrap(), &one["needs_attention"])).collect();
    let (no, yes) = (&json!(false), &json!(true));
    assert_eq!(listed, [(1, no), (2, no), (3, no), (4, no), (5, yes)], "{payment}");
    (paid, refunds[4].clone())
}

async fn audit_row(fleet: &Fleet, payment: &str) -> Value {
    let rows = fleet.get("/ops/audit?limit=500", &fleet.admin()).await.json(200);
    rows.as_array().unwrap().iter().find(|row| row["id"] == payment).unwrap().clone()
}

#[tokio::test]
async fn refund_that_needs_attention_is_retried_by_an_admin() {
    let fleet = Fleet::start().await;
    let (paid, refund) = exhausted(&fleet).await;
    let admin = fleet.admin();
    let row = audit_row(&fleet, &paid).await;
    assert_eq!((&row["awaiting"], &row["refunded"], &row["granted"]), (&json!(100.0), &json!(0.0), &json!(100.0)));
    let path = format!("/api/refunds/{}/retry", refund["id"].as_str().unwrap());
    for (token, status, code) in [
        (None, 401, "UNAUTHENTICATED"),
        (Some(fleet.service()), 403, "FORBIDDEN"),
        (Some(fleet.token(fleet.user())), 403, "FORBIDDEN"),
    ] {
        fleet.send(Method::POST, &path, token.as_deref(), None).await.problem(status, code);
    }
    // The provider is unavailable: nothing is sent.
    fleet.proxy.inject("GET /v1/refunds/", ProviderFault::Down);
    fleet.send(Method::POST, &path, Some(&fleet.admin()), None).await.problem(503, "PROVIDER_UNAVAILABLE");
    let created = refunds_at_provider(&fleet, &fleet.payment(&paid).await).await.len();
    let retried = fleet.post_keyed(&path, &admin, "again", &json!({})).await;
    let replayed = fleet.post_keyed(&path, &admin, "again", &json!({})).await;
    assert_eq!(replayed.headers["idempotency-replayed"], "true");
    let retried = retried.json(200);
    assert_eq!(retried, replayed.json(200));
    assert_eq!((&retried["id"], &retried["status"]), (&refund["id"], &json!("succeeded")));
    assert_eq!((&retried["attempts"], &retried["needs_attention"]), (&json!(6), &json!(false)));
    assert_eq!((&retried["payment_id"], &retried["actor"]["type"]), (&json!(paid), &json!("admin")));
    assert_eq!(refunds_at_provider(&fleet, &fleet.payment(&paid).await).await.len(), created + 1);
    // Another late failure needs attention at once.
    let waits = |payment: &Value| payment["refunds"][4]["needs_attention"] == json!(true);
    fleet.until(&paid, "it needs attention again", waits).await;
    fleet.advance(3600);
    fleet.reconcile().await;
    assert_eq!(
        refunds_at_provider(&fleet, &fleet.payment(&paid).await).await.len(),
        created + 1,
        "nothing is sent automatically"
    );
}

#[tokio::test]
async fn refund_that_needs_attention_is_settled_by_an_admin_and_never_sent_again() {
    let fleet = Fleet::start().await;
    let (paid, refund) = exhausted(&fleet).await;
    let admin = fleet.admin();
    let created = refunds_at_provider(&fleet, &fleet.payment(&paid).await).await.len();
    let path = |verb: &str| format!("/api/refunds/{}/{verb}", refund["id"].as_str().unwrap());
    fleet.send(Method::POST, &path("settle"), Some(&fleet.service()), None).await.problem(403, "FORBIDDEN");
    let settled = fleet.post_keyed(&path("settle"), &admin, "by hand", &json!({})).await.json(200);
    assert_eq!((&settled["status"], &settled["needs_attention"]), (&json!("succeeded"), &json!(false)));
    fleet.post_keyed(&path("settle"), &admin, "by hand", &json!({})).await.json(200);
    fleet.send(Method::POST, &path("settle"), Some(&fleet.admin()), None).await.problem(409, "REFUND_NOT_SETTLEABLE");
    fleet.send(Method::POST, &path("retry"), Some(&fleet.admin()), None).await.problem(409, "REFUND_NOT_RETRYABLE");
    fleet.advance(3600);
    fleet.reconcile().await;
    let payment = fleet.payment(&paid).await;
    assert_eq!((&payment["status"], &payment["refunded_amount"]), (&json!("refunded"), &json!(100.0)));
    assert_eq!(refunds_at_provider(&fleet, &payment).await.len(), created);
    let row = audit_row(&fleet, &paid).await;
    assert_eq!(
        (&row["awaiting"], &row["refunded"], &row["refunded_outside"]),
        (&json!(0.0), &json!(0.0), &json!(100.0))
    );
}

#[tokio::test]
async fn refund_larger_than_the_amount_due_is_not_settled() {
    let fleet = Fleet::start().await;
    let (paid, refund) = exhausted(&fleet).await;
    fleet.refund(&paid, Some(json!({"amount": 95.23}))).await.json(200);
    let path = format!("/api/refunds/{}/settle", refund["id"].as_str().unwrap());
    let refused = fleet.send(Method::POST, &path, Some(&fleet.admin()), None).await;
    let problem = refused.problem(409, "REFUND_NOT_SETTLEABLE");
    assert!(problem["detail"].as_str().unwrap().contains("4.77"), "{problem}");
    assert_eq!(problem["owed"], json!(4.77), "{problem}");
    let payment = fleet.payment(&paid).await;
    assert_eq!(payment["refunds"][4]["amount"], refund["amount"], "{payment}");
    assert_eq!(audit_row(&fleet, &paid).await["refunded_outside"], json!(0.0));
}

#[tokio::test]
async fn only_a_refund_that_needs_attention_is_retried() {
    let fleet = Fleet::start().await;
    let (_, _, paid) = fleet.paid().await;
    let payment = fleet.refund(&paid, Some(json!({"amount": 10}))).await.json(200);
    for verb in ["retry", "settle"] {
        let code = if verb == "retry" { "REFUND_NOT_RETRYABLE" } else { "REFUND_NOT_SETTLEABLE" };
        let path = |id: &str| format!("/api/refunds/{id}/{verb}");
        let admin = fleet.admin();
        let id = payment["refunds"][0]["id"].as_str().unwrap();
        fleet.send(Method::POST, &path(id), Some(&admin), None).await.problem(409, code);
        let unknown = "0190163d-8694-739b-aea5-966c26f8ad91";
        fleet.send(Method::POST, &path(unknown), Some(&admin), None).await.problem(404, "REFUND_NOT_FOUND");
        fleet.send(Method::POST, &path("7"), Some(&admin), None).await.problem(400, "VALIDATION_FAILED");
    }
    // An attempt whose outcome is unknown is in flight.
    let (_, _, paid) = fleet.paid().await;
    fleet.proxy.inject(REFUND, ProviderFault::ResponseLost);
    let payment = fleet.refund(&paid, None).await.json(200);
    let path = format!("/api/refunds/{}/retry", payment["refunds"][0]["id"].as_str().unwrap());
    fleet.send(Method::POST, &path, Some(&fleet.admin()), None).await.problem(409, "REFUND_NOT_RETRYABLE");
}

#[tokio::test]
async fn refund_of_an_external_payment_is_settled_by_an_admin() {
    let fleet = Fleet::start().await;
    let (order, _, started) = fleet.started().await;
    let id = payment_id(&started);
    fleet.confirm(id, "txn_1").await.json(200);
    fleet.cancel_order(order).await;
    let payment = fleet.payment(id).await;
    assert_eq!(
        (&payment["refunds"][0]["status"], &payment["refunds"][0]["actor"]["type"]),
        (&json!("pending"), &json!("system"))
    );
    assert_eq!(audit_row(&fleet, id).await["awaiting"], json!(100.0));
    let path = format!("/api/refunds/{}/settle", payment["refunds"][0]["id"].as_str().unwrap());
    fleet.send(Method::POST, &path, Some(&fleet.admin()), None).await.json(200);
    let row = audit_row(&fleet, id).await;
    assert_eq!((&row["awaiting"], &row["refunded_outside"]), (&json!(0.0), &json!(100.0)));
    assert_eq!(fleet.payment(id).await["status"], "refunded");
    let (kind, data) = fleet.events(order).await.pop().unwrap();
    assert_eq!((kind.as_str(), &data["refunded_total"]), ("payment.refunded", &json!(100.0)));
}

#[tokio::test]
async fn late_failure_without_a_webhook_is_found() {
    let fleet = Fleet::start().await;
    let (_, _, paid) = fleet.paid_by("pm_card_refundFail").await;
    fleet.refund(&paid, None).await.json(200);
    // Webhooks are rejected from now on: their signatures are too old.
    fleet.advance(400);
    fleet
        .until(&paid, "the failure is found", |payment| {
            fleet.advance(20);
            payment["refunds"][0]["status"] == "failed"
        })
        .await;
}
