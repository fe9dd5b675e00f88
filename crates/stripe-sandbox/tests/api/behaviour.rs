//! A provider that misbehaves by the rates that are set, and not otherwise.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::receiver::Receiver;
use crate::support::{PUBLISHABLE_KEY, SECRET_KEY, Server, Setup, eventually, id};

async fn behave(server: &Server, rates: Value) {
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
async fn rates_are_set_by_the_account_alone_and_must_be_rates() {
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
    assert_eq!(set(SECRET_KEY, json!({})).await, 200, "nothing goes wrong any more");
    paid(&server).await;
}

#[tokio::test]
async fn an_error_may_come_before_or_after_the_work() {
    let server = Setup::new().start().await;
    let intent = server.intent(500).await;
    let path = format!("/v1/payment_intents/{}/confirm", id(&intent));
    behave(&server, json!({"error_before": 1})).await;
    server.post(&path, "payment_method=pm_card_visa").await.refused(500);
    assert_eq!(status(&server, &intent).await, "requires_payment_method", "nothing was done");
    behave(&server, json!({"error_after": 1})).await;
    server.post(&path, "payment_method=pm_card_visa").await.refused(500);
    assert_eq!(status(&server, &intent).await, "succeeded", "it was done all the same");
}

#[tokio::test]
async fn an_answer_may_never_come_though_the_work_is_done() {
    let server = Setup::new().start().await;
    let intent = server.intent(500).await;
    behave(&server, json!({"timeout": 1})).await;
    let path = format!("/v1/payment_intents/{}/confirm", id(&intent));
    let request = server.request(Method::POST, &path).bearer_auth(SECRET_KEY);
    let request = request.form(&[("payment_method", "pm_card_visa")]).timeout(Duration::from_millis(300));
    assert!(request.send().await.unwrap_err().is_timeout());
    eventually("it is done", || async { (status(&server, &intent).await == "succeeded").then_some(()) }).await;
}

#[tokio::test]
async fn a_good_card_may_be_declined() {
    let server = Setup::new().start().await;
    let intent = server.intent(500).await;
    behave(&server, json!({"decline": 1})).await;
    let path = format!("/v1/payment_intents/{}/confirm", id(&intent));
    let declined = server.post(&path, "payment_method=pm_card_visa").await.refused(402);
    assert_eq!(declined["decline_code"], "generic_decline");
}

#[tokio::test]
async fn webhooks_may_be_doubled_and_forged() {
    let receiver = Receiver::start().await;
    let server = Setup::new().webhooks_to(&receiver.url).start().await;
    behave(&server, json!({"webhook_double": 1, "webhook_forge": 1})).await;
    let intent = paid(&server).await;
    let received = receiver.wait("two and a forged one", |all| all.len() >= 3).await;
    let (forged, true_ones): (Vec<_>, Vec<_>) =
        received.iter().partition(|one| one.event["id"].as_str().unwrap().starts_with("evt_forged_"));
    assert_eq!((forged.len(), true_ones.len()), (1, 2));
    assert_eq!(true_ones[0].text, true_ones[1].text);
    assert_eq!(true_ones[0].object()["id"], intent["id"]);
    true_ones[0].signed_at();
    assert_ne!(forged[0].signature, true_ones[0].signature);
}

#[tokio::test]
async fn webhooks_may_be_late_or_never_come() {
    let receiver = Receiver::start().await;
    let server = Setup::new().webhooks_to(&receiver.url).start().await;
    behave(&server, json!({"webhook_drop": 1})).await;
    let dropped = paid(&server).await;
    // What becomes of a webhook is decided when its turn comes, by the rates of that time.
    eventually("the first one to be given up", || async {
        let events = server.get("/v1/events").await.ok();
        (events["data"][0]["pending_webhooks"] == 0).then_some(())
    })
    .await;
    behave(&server, json!({"webhook_delay": 1, "webhook_delay_ms": 50})).await;
    let delayed = paid(&server).await;
    let received = receiver.wait("the delayed one", |all| !all.is_empty()).await;
    assert_eq!(received[0].object()["id"], delayed["id"]);
    assert!(received.iter().all(|one| one.object()["id"] != dropped["id"]));
    let events = server.get("/v1/events").await.ok();
    assert_eq!(events["data"].as_array().unwrap().len(), 2, "the provider knows of both");
}

#[tokio::test]
async fn webhooks_may_lie_with_a_valid_signature() {
    let receiver = Receiver::start().await;
    let server = Setup::new().webhooks_to(&receiver.url).start().await;
    behave(&server, json!({"webhook_lie": 1})).await;
    let intent = paid(&server).await;
    let received = receiver.wait("the lie", |all| !all.is_empty()).await;
    received[0].signed_at();
    let (lied, truth) = (received[0].object(), server.get(&format!("/v1/payment_intents/{}", id(&intent))).await.ok());
    assert_eq!((&lied["id"], &lied["metadata"]), (&truth["id"], &truth["metadata"]));
    let told =
        |object: &Value| (object["status"].clone(), object["amount_received"].clone(), object["currency"].clone());
    assert_ne!(told(lied), told(&truth));
    let events = server.get("/v1/events").await.ok();
    assert_eq!(told(&events["data"][0]["data"]["object"]), told(&truth), "the ledger does not lie");
}

#[tokio::test]
async fn a_refund_that_succeeded_may_fail_later() {
    let server = Setup::new().start().await;
    let intent = paid(&server).await;
    behave(&server, json!({"refund_fail_late": 1})).await;
    let refund = server.post("/v1/refunds", &format!("payment_intent={}", id(&intent))).await.ok();
    assert_eq!(refund["status"], "succeeded");
    eventually("it fails", || async {
        let refund = server.get(&format!("/v1/refunds/{}", id(&refund))).await.ok();
        (refund["status"] == "failed").then_some(())
    })
    .await;
    behave(&server, json!({})).await;
    server.post("/v1/refunds", &format!("payment_intent={}", id(&intent))).await.ok();
}
