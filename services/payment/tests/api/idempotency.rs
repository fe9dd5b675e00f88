//! `Idempotency-Key` on payments and refunds

use std::sync::Arc;

use futures::future::join_all;
use serde_json::json;
use tokio::sync::Notify;

use crate::support::Fleet;
use crate::support::proxy::Disturbance;

const CREATE: &str = "POST /v1/payment_intents";
const REFUND: &str = "POST /v1/refunds";
const PAYMENTS: &str = "/api/payments";

#[tokio::test]
async fn a_payment_that_is_asked_for_twice_is_begun_once() {
    let fleet = Fleet::start().await;
    let user = fleet.user();
    let order = fleet.order(user, 10_000);
    let (token, body) = (fleet.token(user), Fleet::body(order, user));
    let first = fleet.post_keyed(PAYMENTS, &token, "k", &body).await;
    assert!(!first.headers.contains_key("idempotency-replayed"));
    let first = first.ok(201);
    let again = fleet.post_keyed(PAYMENTS, &token, "k", &body).await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.ok(201), first, "with the client secret");
    assert_eq!(fleet.proxy.seen(CREATE).len(), 1);

    let mut other = body.clone();
    other["description"] = json!("something else");
    fleet.post_keyed(PAYMENTS, &token, "k", &other).await.refused(422, "IDEMPOTENCY_MISMATCH");
    let replaced = fleet.post_keyed(PAYMENTS, &token, "another", &body).await.ok(201);
    assert_ne!(replaced["payment"]["id"], first["payment"]["id"]);
}

#[tokio::test]
async fn many_equal_requests_begin_one_payment() {
    let fleet = Fleet::start().await;
    let user = fleet.user();
    let order = fleet.order(user, 10_000);
    let (token, body) = (fleet.token(user), Fleet::body(order, user));
    let replies = join_all((0..32).map(|_| fleet.post_keyed(PAYMENTS, &token, "k", &body))).await;
    let mut begun = 0;
    for reply in replies {
        match reply.status {
            201 => begun += usize::from(!reply.headers.contains_key("idempotency-replayed")),
            _ => drop(reply.refused(409, "IDEMPOTENCY_IN_FLIGHT")),
        }
    }
    assert_eq!((begun, fleet.proxy.seen(CREATE).len()), (1, 1));
}

#[tokio::test]
async fn what_is_refused_is_not_kept() {
    let fleet = Fleet::start().await;
    let user = fleet.user();
    let order = fleet.order(user, 10_000);
    let (token, body) = (fleet.token(user), Fleet::body(order, user));
    let mut wrong = body.clone();
    wrong["amount"] = json!(1);
    fleet.post_keyed(PAYMENTS, &token, "k", &wrong).await.refused(409, "AMOUNT_MISMATCH");
    fleet.post_keyed(PAYMENTS, &token, "k", &body).await.ok(201);
    fleet.post_keyed(PAYMENTS, &token, &"k".repeat(256), &body).await.refused(400, "VALIDATION_FAILED");
}

#[tokio::test]
async fn a_payment_whose_maker_died_is_taken_up_by_the_retry() {
    let mut fleet = Fleet::start().await;
    let user = fleet.user();
    let order = fleet.order(user, 10_000);
    let (token, body) = (fleet.token(user), Fleet::body(order, user));
    let release = Arc::new(Notify::new());
    fleet.proxy.disturb(CREATE, Disturbance::Slow(release.clone()));
    {
        let dying = fleet.post_keyed(PAYMENTS, &token, "k", &body);
        tokio::pin!(dying);
        tokio::select! {
            reply = &mut dying => panic!("answered {}", reply.status),
            () = testkit::eventually("the provider is asked", crate::support::PATIENCE, || async {
                (fleet.proxy.seen(CREATE).len() == 1).then_some(())
            }) => {}
        }
        fleet.post_keyed(PAYMENTS, &token, "k", &body).await.refused(409, "IDEMPOTENCY_IN_FLIGHT");
    }
    fleet.kill_and_start().await;
    release.notify_one();
    fleet.post_keyed(PAYMENTS, &token, "k", &body).await.refused(409, "IDEMPOTENCY_IN_FLIGHT");
    fleet.advance(11);
    let taken_up = fleet.post_keyed(PAYMENTS, &token, "k", &body).await.ok(201);
    assert!(taken_up["client_secret"].is_string());
    let payments = fleet.get(&format!("/api/payments/order/{order}"), &token).await.ok(200);
    assert_eq!(payments.as_array().unwrap().len(), 1, "the same payment goes on");
    assert_eq!(payments[0]["id"], taken_up["payment"]["id"]);
    let keys = fleet.proxy.seen(CREATE);
    assert_eq!((keys.len(), &keys[0]), (2, &keys[1]), "the provider is asked for the same");
}

#[tokio::test]
async fn a_refund_that_is_asked_for_twice_is_made_once() {
    let fleet = Fleet::start().await;
    let (_, _, id) = fleet.paid().await;
    let path = format!("{PAYMENTS}/{id}/refund");
    let admin = fleet.admin();
    let body = json!({"amount": 10, "reason": "a scratch"});
    let first = fleet.post_keyed(&path, &admin, "k", &body).await.ok(200);
    let again = fleet.post_keyed(&path, &admin, "k", &body).await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.ok(200), first);
    assert_eq!(fleet.payment(&id).await["refunds"].as_array().unwrap().len(), 1);
    fleet.post_keyed(&path, &fleet.service(), "k", &body).await.ok(200);
    assert_eq!(fleet.payment(&id).await["refunds"].as_array().unwrap().len(), 2, "another caller's key is another");
    assert_eq!(fleet.proxy.seen(REFUND).len(), 2);

    fleet.proxy.disturb(REFUND, Disturbance::Answer(400, r#"{"error": {"type": "invalid_request_error"}}"#));
    fleet.post_keyed(&path, &admin, "refused", &body).await.refused(502, "PROVIDER_ERROR");
    fleet.post_keyed(&path, &admin, "refused", &body).await.ok(200);
}

#[tokio::test]
async fn an_audit_shows_the_money_of_each_payment() {
    let fleet = Fleet::start().await;
    let (order, user, id) = fleet.paid().await;
    fleet.refund(&id, Some(json!({"amount": 10}))).await.ok(200);
    let rows = fleet.get("/ops/audit", &fleet.admin()).await.ok(200);
    let payment = fleet.payment(&id).await;
    let expected = json!([{
        "id": id, "order_id": order, "intent": payment["provider_transaction_id"], "transaction_id": null,
        "external": false, "status": "completed", "amount": payment["amount"], "captured": payment["amount"],
        "refunded": 10.0, "granted": 10.0, "refunding": 0.0, "awaiting": 0.0, "refunded_outside": 0.0,
    }]);
    assert_eq!(rows, expected);
    let none = fleet.get(&format!("/ops/audit?after={id}&limit=1"), &fleet.service()).await.ok(200);
    assert_eq!(none, json!([]));
    fleet.get("/ops/audit", &fleet.token(user)).await.refused(403, "FORBIDDEN");
    fleet.get("/ops/audit?limit=501", &fleet.admin()).await.refused(400, "VALIDATION_FAILED");
    fleet.get("/ops/audit?after=x", &fleet.admin()).await.refused(400, "VALIDATION_FAILED");
}

#[tokio::test]
async fn a_replay_depends_on_nothing_but_the_key() {
    let fleet = Fleet::start().await;
    let user = fleet.user();
    let order = fleet.order(user, 10_000);
    let (token, body) = (fleet.token(user), Fleet::body(order, user));
    let first = fleet.post_keyed(PAYMENTS, &token, "k", &body).await.ok(201);
    fleet.cancel_order(order).await;
    let replay = async || {
        let again = fleet.post_keyed(PAYMENTS, &token, "k", &body).await;
        assert_eq!(again.headers["idempotency-replayed"], "true");
        assert_eq!(again.ok(201), first);
    };
    replay().await;
    fleet.stub_services.go_down(true);
    replay().await;
}

#[tokio::test]
async fn amounts_are_compared_as_they_were_parsed() {
    let fleet = Fleet::start().await;
    let user = fleet.user();
    let order = fleet.order(user, 10_000);
    let (token, mut body) = (fleet.token(user), Fleet::body(order, user));
    let first = fleet.post_keyed(PAYMENTS, &token, "k", &body).await.ok(201);
    for amount in [json!(100.0), json!("100"), json!("100.00")] {
        body["amount"] = amount;
        assert_eq!(fleet.post_keyed(PAYMENTS, &token, "k", &body).await.ok(201), first, "{}", body["amount"]);
    }
    body["amount"] = json!(100.01);
    fleet.post_keyed(PAYMENTS, &token, "k", &body).await.refused(422, "IDEMPOTENCY_MISMATCH");

    let (_, _, id) = fleet.paid().await;
    let (path, admin) = (format!("{PAYMENTS}/{id}/refund"), fleet.admin());
    for amount in [json!(5), json!(5.0), json!("5.0")] {
        fleet.post_keyed(&path, &admin, "k", &json!({"amount": amount})).await.ok(200);
    }
    assert_eq!(fleet.payment(&id).await["refunds"].as_array().unwrap().len(), 1);
}
