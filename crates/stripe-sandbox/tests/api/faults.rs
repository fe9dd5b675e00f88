//! Fault injection by the current rates.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::receiver::Receiver;
use crate::support::{PUBLISHABLE_KEY, SECRET_KEY, Server, Setup, eventually, id};

async fn set_faults(server: &Server, rates: Value) {
    let request = server.request(Method::PUT, "/sandbox/behaviour").bearer_auth(SECRET_KEY);
    assert_eq!(request.json(&rates).send().await.unwrap().status(), 200);
}

async fn paid(server: &Server) -> Value {
    let intent = server.intent(500).await;
    let path = format!("/v1/payment_intents/{}/confirm", id(&intent));
    server.post(&path, "payment_method=pm_card_visa").await.ok()
}

async fn status(server: &Server, intent: &Value) -> Value {
    server.get(&format!("/v1/payment_intents/{}", id(intent))).await.ok()["status"].clone()
}

#[tokio::test]
async fn fault_rates_require_the_account_and_valid_rates() {
    let server = Setup::new().start().await;
    let set = |key: &str, body: Value| {
        let request = server.request(Method::PUT, "/sandbox/behaviour").bearer_auth(key).json(&body);
        async move { request.send().await.unwrap().status().as_u16() }
    };
    assert_eq!(set(SECRET_KEY, json!({"timeout": 0.5, "latency_ms": 1})).await, 200);
    let get = server.get("/sandbox/behaviour").await.ok();
    assert_eq!((&get["timeout"], &get["decline"]), (&json!(0.5), &json!(0.0)));
    assert_eq!(set(PUBLISHABLE_KEY, json!({})).await, 401);
    assert_eq!(set("wrong", json!({})).await, 401);
    assert_eq!(set(SECRET_KEY, json!({"decline": 2})).await, 400);
    assert!(set(SECRET_KEY, json!({"unknown": 1})).await >= 400);
    assert_eq!(set(SECRET_KEY, json!({})).await, 200, "faults are disabled");
    paid(&server).await;
}

#[tokio::test]
async fn error_is_injected_before_or_after_execution() {
    let server = Setup::new().start().await;
    let intent = server.intent(500).await;
    let path = format!("/v1/payment_intents/{}/confirm", id(&intent));
    set_faults(&server, json!({"error_before": 1})).await;
    server.post(&path, "payment_method=pm_card_visa").await.error(500);
    assert_eq!(status(&server, &intent).await, "requires_payment_method", "not executed");
    set_faults(&server, json!({"error_after": 1})).await;
    server.post(&path, "payment_method=pm_card_visa").await.error(500);
    assert_eq!(status(&server, &intent).await, "succeeded", "executed");
}

#[tokio::test]
async fn response_times_out_after_execution() {
    let server = Setup::new().start().await;
    let intent = server.intent(500).await;
    set_faults(&server, json!({"timeout": 1})).await;
    let path = format!("/v1/payment_intents/{}/confirm", id(&intent));
    let request = server.request(Method::POST, &path).bearer_auth(SECRET_KEY);
    let request = request.form(&[("payment_method", "pm_card_visa")]).timeout(Duration::from_millis(300));
    assert!(request.send().await.unwrap_err().is_timeout());
    eventually("the execution", || async { (status(&server, &intent).await == "succeeded").then_some(()) }).await;
}

#[tokio::test]
async fn valid_card_is_declined() {
    let server = Setup::new().start().await;
    let intent = server.intent(500).await;
    set_faults(&server, json!({"decline": 1})).await;
    let path = format!("/v1/payment_intents/{}/confirm", id(&intent));
    let declined = server.post(&path, "payment_method=pm_card_visa").await.error(402);
    assert_eq!(declined["decline_code"], "generic_decline");
}

#[tokio::test]
async fn webhook_is_duplicated_and_forged() {
    let receiver = Receiver::start().await;
    let server = Setup::new().webhooks_to(&receiver.url).start().await;
    set_faults(&server, json!({"webhook_double": 1, "webhook_forge": 1})).await;
    let intent = paid(&server).await;
    let received = receiver.wait("two webhooks and a forged one", |all| all.len() >= 3).await;
    let (forged, genuine): (Vec<_>, Vec<_>) =
        received.iter().partition(|one| one.event["id"].as_str().unwrap().starts_with("evt_forged_"));
    assert_eq!((forged.len(), genuine.len()), (1, 2));
    assert_eq!(genuine[0].text, genuine[1].text);
    assert_eq!(genuine[0].object()["id"], intent["id"]);
    genuine[0].signed_at();
    assert_ne!(forged[0].signature, genuine[0].signature);
}

#[tokio::test]
async fn webhook_is_dropped_or_delayed() {
    let receiver = Receiver::start().await;
    let server = Setup::new().webhooks_to(&receiver.url).start().await;
    set_faults(&server, json!({"webhook_drop": 1})).await;
    let dropped = paid(&server).await;
    // The outcome of a webhook depends on the rates at the time of its first attempt.
    eventually("the first one to be abandoned", || async {
        let events = server.get("/v1/events").await.ok();
        (events["data"][0]["pending_webhooks"] == 0).then_some(())
    })
    .await;
    set_faults(&server, json!({"webhook_delay": 1, "webhook_delay_ms": 50})).await;
    let delayed = paid(&server).await;
    let received = receiver.wait("the delayed one", |all| !all.is_empty()).await;
    assert_eq!(received[0].object()["id"], delayed["id"]);
    assert!(received.iter().all(|one| one.object()["id"] != dropped["id"]));
    let events = server.get("/v1/events").await.ok();
    assert_eq!(events["data"].as_array().unwrap().len(), 2, "both events are in the ledger");
}

#[tokio::test]
async fn webhook_is_tampered_with_a_valid_signature() {
    let receiver = Receiver::start().await;
    let server = Setup::new().webhooks_to(&receiver.url).start().await;
    set_faults(&server, json!({"webhook_lie": 1})).await;
    let intent = paid(&server).await;
    let received = receiver.wait("the tampered webhook", |all| !all.is_empty()).await;
    received[0].signed_at();
    let (tampered, genuine) =
        (received[0].object(), server.get(&format!("/v1/payment_intents/{}", id(&intent))).await.ok());
    assert_eq!((&tampered["id"], &tampered["metadata"]), (&genuine["id"], &genuine["metadata"]));
    let content =
        |object: &Value| (object["status"].clone(), object["amount_received"].clone(), object["currency"].clone());
    assert_ne!(content(tampered), content(&genuine));
    let events = server.get("/v1/events").await.ok();
    assert_eq!(content(&events["data"][0]["data"]["object"]), content(&genuine), "the ledger is unchanged");
}

#[tokio::test]
async fn successful_refund_fails_later() {
    let server = Setup::new().start().await;
    let intent = paid(&server).await;
    set_faults(&server, json!({"refund_fail_late": 1})).await;
    let refund = server.post("/v1/refunds", &format!("payment_intent={}", id(&intent))).await.ok();
    assert_eq!(refund["status"], "succeeded");
    eventually("the failure", || async {
        let refund = server.get(&format!("/v1/refunds/{}", id(&refund))).await.ok();
        (refund["status"] == "failed").then_some(())
    })
    .await;
    set_faults(&server, json!({})).await;
    server.post("/v1/refunds", &format!("payment_intent={}", id(&intent))).await.ok();
}
