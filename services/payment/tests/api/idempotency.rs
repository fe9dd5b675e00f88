//! `Idempotency-Key` on payments and refunds

use std::sync::Arc;
use testkit::ResponseExt as _;

use futures::future::join_all;
use serde_json::json;
use tokio::sync::Notify;

use crate::support::Fleet;
use crate::support::proxy::ProviderFault;

const CREATE: &str = "POST /v1/payment_intents";
const REFUND: &str = "POST /v1/refunds";
const PAYMENTS: &str = "/api/payments";

#[tokio::test]
async fn repeated_request_starts_one_payment() {
    let fleet = Fleet::start().await;
    let user = fleet.user();
    let order = fleet.order(user, 10_000);
    let (token, body) = (fleet.token(user), Fleet::body(order, user));
    let first = fleet.post_keyed(PAYMENTS, &token, "k", &body).await;
    assert!(!first.headers.contains_key("idempotency-replayed"));
    let first = first.json(201);
    let again = fleet.post_keyed(PAYMENTS, &token, "k", &body).await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.json(201), first, "with the client secret");
    assert_eq!(fleet.proxy.calls(CREATE).len(), 1);

    let mut other = body.clone();
    other["description"] = json!("something else");
    fleet.post_keyed(PAYMENTS, &token, "k", &other).await.problem(422, "IDEMPOTENCY_MISMATCH");
    let replaced = fleet.post_keyed(PAYMENTS, &token, "another", &body).await.json(201);
    assert_ne!(replaced["payment"]["id"], first["payment"]["id"]);
}

#[tokio::test]
async fn concurrent_equal_requests_start_one_payment() {
    let fleet = Fleet::start().await;
    let user = fleet.user();
    let order = fleet.order(user, 10_000);
    let (token, body) = (fleet.token(user), Fleet::body(order, user));
    let replies = join_all((0..32).map(|_| fleet.post_keyed(PAYMENTS, &token, "k", &body))).await;
    let mut started_count = 0;
    for reply in replies {
        match reply.status {
            201 => started_count += usize::from(!reply.headers.contains_key("idempotency-replayed")),
            _ => drop(reply.problem(409, "IDEMPOTENCY_IN_FLIGHT")),
        }
    }
    assert_eq!((started_count, fleet.proxy.calls(CREATE).len()), (1, 1));
}

#[tokio::test]
async fn rejected_request_is_not_stored() {
    let fleet = Fleet::start().await;
    let user = fleet.user();
    let order = fleet.order(user, 10_000);
    let (token, body) = (fleet.token(user), Fleet::body(order, user));
    let mut wrong = body.clone();
    wrong["amount"] = json!(1);
    fleet.post_keyed(PAYMENTS, &token, "k", &wrong).await.problem(409, "AMOUNT_MISMATCH");
    fleet.post_keyed(PAYMENTS, &token, "k", &body).await.json(201);
    fleet.post_keyed(PAYMENTS, &token, &"k".repeat(256), &body).await.problem(400, "VALIDATION_FAILED");
}

#[tokio::test]
async fn payment_of_a_dead_process_is_resumed_by_the_retry() {
    let mut fleet = Fleet::start().await;
    let user = fleet.user();
    let order = fleet.order(user, 10_000);
    let (token, body) = (fleet.token(user), Fleet::body(order, user));
    let release = Arc::new(Notify::new());
    fleet.proxy.inject(CREATE, ProviderFault::Slow(release.clone()));
    {
        let dying = fleet.post_keyed(PAYMENTS, &token, "k", &body);
        tokio::pin!(dying);
        tokio::select! {
            reply = &mut dying => panic!("returned {}", reply.status),
            () = testkit::eventually("the provider is called", crate::support::TIMEOUT, || async {
                (fleet.proxy.calls(CREATE).len() == 1).then_some(())
            }) => {}
        }
        fleet.post_keyed(PAYMENTS, &token, "k", &body).await.problem(409, "IDEMPOTENCY_IN_FLIGHT");
    }
    fleet.kill_and_restart().await;
    release.notify_one();
    fleet.post_keyed(PAYMENTS, &token, "k", &body).await.problem(409, "IDEMPOTENCY_IN_FLIGHT");
    fleet.advance(11);
    let taken_up = fleet.post_keyed(PAYMENTS, &token, "k", &body).await.json(201);
    assert!(taken_up["client_secret"].is_string());
    let payments = fleet.get(&format!("/api/payments/order/{order}"), &token).await.json(200);
    assert_eq!(payments.as_array().unwrap().len(), 1, "the same payment is resumed");
    assert_eq!(payments[0]["id"], taken_up["payment"]["id"]);
    let keys = fleet.proxy.calls(CREATE);
    assert_eq!((keys.len(), &keys[0]), (2, &keys[1]), "the same key is used");
}

#[tokio::test]
async fn repeated_request_makes_one_refund() {
    let fleet = Fleet::start().await;
    let (_, _, id) = fleet.paid().await;
    let path = format!("{PAYMENTS}/{id}/refund");
    let admin = fleet.admin();
    let body = json!({"amount": 10, "reason": "a scratch"});
    let first = fleet.post_keyed(&path, &admin, "k", &body).await.json(200);
    let again = fleet.post_keyed(&path, &admin, "k", &body).await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.json(200), first);
    assert_eq!(fleet.payment(&id).await["refunds"].as_array().unwrap().len(), 1);
    fleet.post_keyed(&path, &fleet.service(), "k", &body).await.json(200);
    assert_eq!(fleet.payment(&id).await["refunds"].as_array().unwrap().len(), 2, "keys belong to their callers");
    assert_eq!(fleet.proxy.calls(REFUND).len(), 2);

    fleet.proxy.inject(REFUND, ProviderFault::Respond(400, r#"{"error": {"type": "invalid_request_error"}}"#));
    fleet.post_keyed(&path, &admin, "rejected", &body).await.problem(502, "PROVIDER_ERROR");
    fleet.post_keyed(&path, &admin, "rejected", &body).await.json(200);
}

#[tokio::test]
async fn audit_contains_the_amounts_of_each_payment() {
    let fleet = Fleet::start().await;
    let (order, user, id) = fleet.paid().await;
    fleet.refund(&id, Some(json!({"amount": 10}))).await.json(200);
    let rows = fleet.get("/ops/audit", &fleet.admin()).await.json(200);
    let payment = fleet.payment(&id).await;
    let expected = json!([{
        "id": id, "order_id": order, "intent": payment["provider_transaction_id"], "transaction_id": null,
        "external": false, "status": "completed", "amount": payment["amount"], "captured": payment["amount"],
        "refunded": 10.0, "granted": 10.0, "refunding": 0.0, "awaiting": 0.0, "refunded_outside": 0.0,
    }]);
    assert_eq!(rows, expected);
    let none = fleet.get(&format!("/ops/audit?after={id}&limit=1"), &fleet.service()).await.json(200);
    assert_eq!(none, json!([]));
    fleet.get("/ops/audit", &fleet.token(user)).await.problem(403, "FORBIDDEN");
    fleet.get("/ops/audit?limit=501", &fleet.admin()).await.problem(400, "VALIDATION_FAILED");
    fleet.get("/ops/audit?after=x", &fleet.admin()).await.problem(400, "VALIDATION_FAILED");
}

#[tokio::test]
async fn replay_depends_on_the_key_alone() {
    let fleet = Fleet::start().await;
    let user = fleet.user();
    let order = fleet.order(user, 10_000);
    let (token, body) = (fleet.token(user), Fleet::body(order, user));
    let first = fleet.post_keyed(PAYMENTS, &token, "k", &body).await.json(201);
    fleet.cancel_order(order).await;
    let replay = async || {
        let again = fleet.post_keyed(PAYMENTS, &token, "k", &body).await;
        assert_eq!(again.headers["idempotency-replayed"], "true");
        assert_eq!(again.json(201), first);
    };
    replay().await;
    fleet.stub_services.set_unavailable(true);
    replay().await;
}

#[tokio::test]
async fn amounts_are_compared_as_parsed() {
    let fleet = Fleet::start().await;
    let user = fleet.user();
    let order = fleet.order(user, 10_000);
    let (token, mut body) = (fleet.token(user), Fleet::body(order, user));
    let first = fleet.post_keyed(PAYMENTS, &token, "k", &body).await.json(201);
    for amount in [json!(100.0), json!("100"), json!("100.00")] {
        body["amount"] = amount;
        assert_eq!(fleet.post_keyed(PAYMENTS, &token, "k", &body).await.json(201), first, "{}", body["amount"]);
    }
    body["amount"] = json!(100.01);
    fleet.post_keyed(PAYMENTS, &token, "k", &body).await.problem(422, "IDEMPOTENCY_MISMATCH");

    let (_, _, id) = fleet.paid().await;
    let (path, admin) = (format!("{PAYMENTS}/{id}/refund"), fleet.admin());
    for amount in [json!(5), json!(5.0), json!("5.0")] {
        fleet.post_keyed(&path, &admin, "k", &json!({"amount": amount})).await.json(200);
    }
    assert_eq!(fleet.payment(&id).await["refunds"].as_array().unwrap().len(), 1);
}
