//! `GET /api/payments/config`, and the payment page of the sandbox

use reqwest::Method;
use serde_json::json;
use testkit::ResponseExt as _;

use crate::support::{Fleet, intent_id};

const HOSTED: &[(&str, &str)] =
    &[("STRIPE_PUBLISHABLE_KEY", "pk_test_browser"), ("STRIPE_HOSTED_URL", "http://localhost:3010/")];

#[tokio::test]
async fn configuration_is_public_and_has_no_secret() {
    let fleet = Fleet::start_configured(HOSTED).await;
    let config = fleet.send(Method::GET, "/api/payments/config", None, None).await.json(200);
    let expected = json!({
        "provider": "stripe", "publishable_key": "pk_test_browser", "mode": "sandbox",
        "hosted_url": "http://localhost:3010", "currency": "USD",
        "methods": ["card", "paypal", "apple_pay", "google_pay"],
    });
    assert_eq!(config, expected);
    fleet.send(Method::POST, "/api/payments/config", None, None).await.problem(405, "METHOD_NOT_ALLOWED");
}

#[tokio::test]
async fn settings_of_browsers_are_null_by_default() {
    let fleet = Fleet::start().await;
    let config = fleet.send(Method::GET, "/api/payments/config", None, None).await.json(200);
    assert_eq!((&config["publishable_key"], &config["hosted_url"]), (&json!(null), &json!(null)));
    // The tests' provider is not Stripe's own server.
    assert_eq!(config["mode"], "sandbox");
}

#[tokio::test]
async fn started_payment_names_the_payment_page_of_the_sandbox() {
    let fleet = Fleet::start_configured(HOSTED).await;
    let user = fleet.user();
    let order = fleet.order(user, 10_000);
    let body = Fleet::body(order, user);
    let started = fleet.post_keyed("/api/payments", &fleet.token(user), "pay-1", &body).await.json(201);
    let secret = started["client_secret"].as_str().unwrap();
    let page = format!("http://localhost:3010/pay/{}?client_secret={secret}", intent_id(&started));
    assert_eq!(started["redirect_url"], page);
    let replayed = fleet.post_keyed("/api/payments", &fleet.token(user), "pay-1", &body).await.json(201);
    assert_eq!(replayed, started);
}
