//! `Idempotency-Key`: a request is executed once, however often it is sent.

use std::time::Duration;

use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use crate::support::{Credentials, ManualClock, SECRET_KEY, Setup, id};

const CREATE: &str = "amount=100&currency=usd&payment_method_types[]=card";

fn key(key: &str) -> Credentials<'_> {
    Credentials(SECRET_KEY, Some(key))
}

#[tokio::test]
async fn repeated_request_returns_the_first_response() {
    let server = Setup::new().start().await;
    let first = server.post_as(key("k1"), "/v1/payment_intents", CREATE).await;
    assert!(!first.replayed());
    let again = server.post_as(key("k1"), "/v1/payment_intents", CREATE).await;
    assert!(again.replayed());
    assert_eq!((again.status, &again.text), (200, &first.text));
    assert_eq!(again.headers["content-type"], "application/json");
    assert_eq!(again.headers["idempotency-key"], "k1");
    let reordered = "payment_method_types[]=card&currency=usd&amount=100";
    assert!(server.post_as(key("k1"), "/v1/payment_intents", reordered).await.replayed());
    let other = server.post_as(key("k2"), "/v1/payment_intents", CREATE).await;
    assert_ne!(other.ok()["id"], first.ok()["id"]);
    assert_eq!(server.get("/v1/payment_intents").await.ok()["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn key_is_bound_to_its_request() {
    let server = Setup::new().start().await;
    server.post_as(key("k"), "/v1/payment_intents", CREATE).await.ok();
    let other = server.post_as(key("k"), "/v1/payment_intents", "amount=101&currency=usd").await.error(400);
    assert_eq!(other["type"], "idempotency_error");
    assert!(other["message"].as_str().unwrap().contains("same parameters"));
    let elsewhere = server.post_as(key("k"), "/v1/refunds", "payment_intent=pi_1").await.error(400);
    assert_eq!(elsewhere["type"], "idempotency_error");
    assert!(elsewhere["message"].as_str().unwrap().contains("same endpoint"));
}

#[tokio::test]
async fn key_length_is_limited() {
    let server = Setup::new().start().await;
    let long = "k".repeat(256);
    let error = server.post_as(key(&long), "/v1/payment_intents", CREATE).await.error(400);
    assert_eq!(error["type"], "idempotency_error");
    server.post_as(key(&long[1..]), "/v1/payment_intents", CREATE).await.ok();
}

#[tokio::test]
async fn decline_is_stored_with_its_effect() {
    let server = Setup::new().start().await;
    let intent = server.intent(100).await;
    let path = format!("/v1/payment_intents/{}/confirm", id(&intent));
    let form = "payment_method=pm_card_chargeDeclined";
    let first = server.post_as(key("k"), &path, form).await;
    let again = server.post_as(key("k"), &path, form).await;
    assert!(again.replayed());
    assert_eq!((again.status, again.text), (402, first.text));
    let events = server.get("/v1/events?type=payment_intent.payment_failed").await.ok();
    assert_eq!(events["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn errors_of_operations_are_stored_and_validation_errors_are_not() {
    let server = Setup::new().start().await;
    server.post_as(key("k1"), "/v1/payment_intents", "amount=x&currency=usd").await.error(400);
    server.post_as(key("k1"), "/v1/payment_intents", CREATE).await.ok();
    let paid = server.paid(100, "pm_card_visa").await;
    let path = format!("/v1/payment_intents/{}/cancel", id(&paid));
    server.post_as(key("k2"), &path, "").await.error(400);
    let again = server.post_as(key("k2"), &path, "").await;
    assert!(again.replayed());
    assert_eq!(again.error(400)["code"], "payment_intent_unexpected_state");
}

#[tokio::test]
async fn concurrent_requests_of_one_key_have_one_effect() {
    let server = Setup::new().start().await;
    let paid = server.paid(1000, "pm_card_visa").await;
    let form = format!("payment_intent={}&amount=10", id(&paid));
    let requests = (0..10).map(|_| server.post_as(key("k"), "/v1/refunds", &form));
    let replies = futures::future::join_all(requests).await;
    let mut bodies: Vec<&str> = replies.iter().filter(|r| r.status == 200).map(|r| r.text.as_str()).collect();
    bodies.dedup();
    assert_eq!(bodies.len(), 1);
    assert!(replies.iter().all(|reply| matches!(reply.status, 200 | 409)));
    assert_eq!(server.get("/v1/refunds").await.ok()["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn key_in_flight_is_409() {
    let server = Setup::new().start().await;
    server.intent(1).await;
    // While the file is locked no write succeeds, so the first of two requests is in flight.
    let mut other = SqliteConnectOptions::new().filename(&server.database).connect().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let one = server.post_as(key("k"), "/v1/payment_intents", CREATE);
    let two = server.post_as(key("k"), "/v1/payment_intents", CREATE);
    tokio::pin!(one, two);
    let (rejected, first) = match futures::future::select(one, two).await {
        futures::future::Either::Left((rejected, first)) => (rejected, first),
        futures::future::Either::Right((rejected, first)) => (rejected, first),
    };
    let error = rejected.error(409);
    assert_eq!((&error["type"], &error["code"]), (&json!("idempotency_error"), &json!("idempotency_key_in_use")));
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    let first = first.await;
    let again = server.post_as(key("k"), "/v1/payment_intents", CREATE).await;
    assert!(again.replayed());
    assert_eq!(first.ok(), again.ok());
}

#[tokio::test]
async fn key_is_retained_for_a_day() {
    let clock = ManualClock::at(1_800_000_000_000);
    let server = Setup::new().clock(clock.clone()).start().await;
    let first = server.post_as(key("k"), "/v1/payment_intents", CREATE).await;
    assert_eq!(first.body["created"], 1_800_000_000);
    clock.advance(Duration::from_secs(24 * 60 * 60 - 1));
    assert!(server.post_as(key("k"), "/v1/payment_intents", CREATE).await.replayed());
    clock.advance(Duration::from_secs(2));
    let later = server.post_as(key("k"), "/v1/payment_intents", CREATE).await;
    assert!(!later.replayed());
    assert_ne!(later.ok()["id"], first.ok()["id"]);
}
