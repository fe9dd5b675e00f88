//! Browser with a publishable key and the client secret of an intent.

use reqwest::Method;

use crate::support::{BROWSER, Setup, id, reply};

#[tokio::test]
async fn client_secret_allows_a_browser_to_read_and_confirm() {
    let server = Setup::new().start().await;
    let intent = server.intent(100).await;
    let secret = intent["client_secret"].as_str().unwrap();
    let path = format!("/v1/payment_intents/{}", id(&intent));
    let seen = server.get_as(BROWSER, &format!("{path}?client_secret={secret}")).await.ok();
    assert_eq!(seen["status"], "requires_payment_method");
    assert!(seen.get("metadata").is_none() && seen.get("latest_charge").is_none());

    let confirm = format!("{path}/confirm");
    let form = |method: &str| format!("client_secret={secret}&payment_method={method}");
    let error = server.post_as(BROWSER, &confirm, &form("pm_card_chargeDeclined")).await.error(402);
    assert!(error["payment_intent"].get("metadata").is_none());
    let paid = server.post_as(BROWSER, &confirm, &form("pm_card_visa")).await.ok();
    assert_eq!(paid["status"], "succeeded");
    assert!(paid.get("metadata").is_none());
    let error = server.post_as(BROWSER, &confirm, &form("pm_card_visa")).await.error(400);
    assert!(error["payment_intent"].get("metadata").is_none());
}

#[tokio::test]
async fn wrong_or_missing_client_secret_is_rejected() {
    let server = Setup::new().start().await;
    let (intent, other) = (server.intent(100).await, server.intent(100).await);
    let wrong = other["client_secret"].as_str().unwrap();
    let path = format!("/v1/payment_intents/{}", id(&intent));
    let confirm = format!("{path}/confirm");
    for reply in [
        server.get_as(BROWSER, &format!("{path}?client_secret={wrong}")).await,
        server.get(&format!("{path}?client_secret={wrong}")).await,
        server.post_as(BROWSER, &confirm, &format!("payment_method=pm_card_visa&client_secret={wrong}")).await,
    ] {
        let message = reply.error(400)["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with("The client_secret provided does not match"), "{message}");
    }
    for reply in
        [server.get_as(BROWSER, &path).await, server.post_as(BROWSER, &confirm, "payment_method=pm_card_visa").await]
    {
        assert_eq!(reply.error(400)["code"], "parameter_missing");
    }
    server.get_as(BROWSER, "/v1/payment_intents/pi_none?client_secret=x").await.error(404);
    assert_eq!(server.read(id(&intent)).await, intent);
}

#[tokio::test]
async fn browser_confirms_an_automatic_intent_without_return_url() {
    let server = Setup::new().start().await;
    let intent = server.post("/v1/payment_intents", "amount=100&currency=usd").await.ok();
    let secret = intent["client_secret"].as_str().unwrap();
    let confirm = format!("/v1/payment_intents/{}/confirm", id(&intent));
    let form = format!("client_secret={secret}&payment_method=pm_card_visa");
    assert_eq!(server.post_as(BROWSER, &confirm, &form).await.ok()["status"], "succeeded");
}

#[tokio::test]
async fn any_origin_is_allowed() {
    let server = Setup::new().start().await;
    let preflight = server
        .request(Method::OPTIONS, "/v1/payment_intents/pi_1/confirm")
        .header("origin", "https://shop.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization");
    let response = reply(preflight).await;
    assert_eq!(response.status, 200);
    assert_eq!(response.headers["access-control-allow-origin"], "*");
    assert_eq!(response.headers["access-control-allow-headers"], "authorization");
    let rejected = reply(server.request(Method::GET, "/v1/events").header("origin", "https://shop.example")).await;
    assert_eq!(rejected.headers["access-control-allow-origin"], "*");
}
