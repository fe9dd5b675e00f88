//! Page where a customer approves or rejects a payment.

use reqwest::Method;
use reqwest::header::LOCATION;
use serde_json::{Value, json};

use crate::support::{Reply, Server, Setup, id, reply};

async fn waiting(server: &Server, more: &str) -> (Value, String) {
    let intent = server.intent(1234).await;
    let path = format!("/v1/payment_intents/{}/confirm", id(&intent));
    let form = format!("payment_method=pm_card_authenticationRequired{more}");
    let intent = server.post(&path, &form).await.ok();
    assert_eq!((&intent["status"], &intent["latest_charge"]), (&json!("requires_action"), &json!(null)));
    let url = intent["next_action"]["redirect_to_url"]["url"].as_str().unwrap();
    let page = url.strip_prefix(&server.base).unwrap().to_owned();
    (intent, page)
}

async fn choose(server: &Server, page: &str, outcome: &str) -> Reply {
    let form = server
        .request(Method::POST, page)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("outcome={outcome}"));
    reply(form).await
}

#[tokio::test]
async fn approval_charges_the_intent() {
    let server = Setup::new().start().await;
    let (intent, page) = waiting(&server, "").await;
    let shown = reply(server.request(Method::GET, &page)).await;
    assert_eq!(shown.status, 200);
    assert!(shown.text.contains("$12.34") && shown.text.contains("Approve") && shown.text.contains("Fail"));
    let done = choose(&server, &page, "approve").await;
    assert!(done.status == 200 && done.text.contains("succeeded"), "{}", done.text);
    let paid = server.read(id(&intent)).await;
    assert_eq!((&paid["status"], &paid["amount_received"]), (&json!("succeeded"), &json!(1234)));
    assert_eq!(paid["next_action"], json!(null));
    assert_eq!(choose(&server, &page, "approve").await.status, 409);
    assert_eq!(reply(server.request(Method::GET, &page)).await.status, 409);
}

#[tokio::test]
async fn failed_authentication_requires_another_method() {
    let server = Setup::new().start().await;
    let (intent, page) = waiting(&server, "").await;
    assert_eq!(choose(&server, &page, "fail").await.status, 200);
    let failed = server.read(id(&intent)).await;
    assert_eq!(failed["status"], "requires_payment_method");
    assert_eq!(failed["last_payment_error"]["code"], "payment_intent_authentication_failure");
    let events = server.get("/v1/events?type=payment_intent.payment_failed").await.ok();
    assert_eq!(events["data"][0]["data"]["object"]["id"], intent["id"]);
    assert_eq!(events["data"][0]["request"]["id"], json!(null));
    assert_eq!(server.confirm(id(&intent), "pm_card_visa").await.ok()["status"], "succeeded");
}

#[tokio::test]
async fn customer_is_redirected_to_the_return_url() {
    let server = Setup::new().start().await;
    for (outcome, status) in [("approve", "succeeded"), ("fail", "failed")] {
        let (intent, page) = waiting(&server, "&return_url=https%3A%2F%2Fshop.example%2Fdone%3Forder%3D1").await;
        let done = choose(&server, &page, outcome).await;
        assert_eq!(done.status, 303);
        let expected = format!(
            "https://shop.example/done?order=1&payment_intent={}&payment_intent_client_secret={}&redirect_status={status}",
            id(&intent),
            intent["client_secret"].as_str().unwrap()
        );
        assert_eq!(done.headers[LOCATION], expected);
    }
}

#[tokio::test]
async fn intent_can_be_confirmed_with_another_method() {
    let server = Setup::new().start().await;
    let (intent, page) = waiting(&server, "").await;
    assert_eq!(server.confirm(id(&intent), "pm_card_visa").await.ok()["status"], "succeeded");
    assert_eq!(choose(&server, &page, "approve").await.status, 409);
}

#[tokio::test]
async fn unknown_intent_or_outcome_is_rejected() {
    let server = Setup::new().start().await;
    assert_eq!(reply(server.request(Method::GET, "/sandbox/3ds/pi_none")).await.status, 404);
    assert_eq!(choose(&server, "/sandbox/3ds/pi_none", "approve").await.status, 404);
    let (_, page) = waiting(&server, "").await;
    assert_eq!(choose(&server, &page, "shrug").await.status, 422);
}
