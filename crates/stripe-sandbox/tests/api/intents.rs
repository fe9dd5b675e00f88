//! Creation, retrieval and cancellation of payment intents, and authentication.

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use serde_json::json;

use crate::support::{BROWSER, SECRET_KEY, Setup, id, reply};

#[tokio::test]
async fn new_intent_has_stripes_format() {
    let server = Setup::new().start().await;
    let form = "amount=5998&currency=USD&payment_method_types[0]=card&metadata[order_id]=o-1&description=An%20order\
                &receipt_email=a@example.com&expand[]=latest_charge";
    let reply = server.post("/v1/payment_intents", form).await;
    assert!(reply.headers["request-id"].to_str().unwrap().starts_with("req_"));
    let intent = reply.ok();
    let secret = intent["client_secret"].as_str().unwrap();
    assert!(id(&intent).starts_with("pi_"));
    assert!(secret.starts_with(&format!("{}_secret_", id(&intent))));
    let expected = json!({
        "object": "payment_intent", "amount": 5998, "amount_capturable": 0, "amount_received": 0, "currency": "usd",
        "status": "requires_payment_method", "livemode": false, "metadata": {"order_id": "o-1"},
        "payment_method": null, "payment_method_types": ["card"], "latest_charge": null, "last_payment_error": null,
        "next_action": null, "canceled_at": null, "cancellation_reason": null, "confirmation_method": "automatic",
        "capture_method": "automatic_async", "description": "An order", "receipt_email": "a@example.com",
        "automatic_payment_methods": null, "customer": null,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&intent[name], value, "{name}");
    }
    assert_eq!(server.read(id(&intent)).await, intent);
}

#[tokio::test]
async fn payment_method_types_default_to_the_accounts() {
    let server = Setup::new().start().await;
    for form in ["amount=1&currency=usd", "amount=1&currency=usd&automatic_payment_methods[enabled]=true"] {
        let intent = server.post("/v1/payment_intents", form).await.ok();
        assert_eq!(intent["payment_method_types"], json!(["card", "paypal"]));
        assert_eq!(intent["automatic_payment_methods"], json!({"enabled": true, "allow_redirects": "always"}));
    }
    let form = "amount=99999999&currency=usd&automatic_payment_methods[enabled]=false";
    let intent = server.post("/v1/payment_intents", form).await.ok();
    assert_eq!(intent["payment_method_types"], json!(["card"]));
}

#[tokio::test]
async fn invalid_parameters_are_named() {
    let server = Setup::new().start().await;
    let long = format!("amount=1&currency=usd&metadata[k]={}", "v".repeat(501));
    for (form, code, param) in [
        ("currency=usd", Some("parameter_missing"), "amount"),
        ("amount=0&currency=usd", Some("parameter_invalid_integer"), "amount"),
        ("amount=-5&currency=usd", Some("parameter_invalid_integer"), "amount"),
        ("amount=1.5&currency=usd", Some("parameter_invalid_integer"), "amount"),
        ("amount=&currency=usd", Some("parameter_invalid_empty"), "amount"),
        ("amount=100000000&currency=usd", Some("amount_too_large"), "amount"),
        ("amount=1", Some("parameter_missing"), "currency"),
        ("amount=1&currency=xyz", None, "currency"),
        ("amount=1&currency=usd&colour=red", Some("parameter_unknown"), "colour"),
        ("amount=1&currency=usd&off_session=true", None, "off_session"),
        ("amount=1&currency=usd&capture_method=manual", None, "capture_method"),
        ("amount=1&currency=usd&payment_method_types=card", None, "payment_method_types"),
        ("amount=1&currency=usd&payment_method_types[]=card&payment_method_types[]=card", None, "payment_method_types"),
        ("amount=1&currency=usd&confirm=perhaps", None, "confirm"),
        ("amount=1&currency=usd&payment_method=pm_card_unheard_of", Some("resource_missing"), "payment_method"),
        ("amount=1&currency=usd&payment_method_types[]=paypal&payment_method=pm_card_visa", None, "payment_method"),
        ("amount=1&currency=usd&return_url=https://shop.example/", None, "return_url"),
        (
            "amount=1&currency=usd&confirm=true&payment_method=pm_card_visa&return_url=javascript:x",
            Some("url_invalid"),
            "return_url",
        ),
        ("amount=1&currency=usd&payment_method_data[type]=card", None, "payment_method_data"),
        (long.as_str(), None, "metadata[k]"),
    ] {
        let error = server.post("/v1/payment_intents", form).await.error(400);
        assert_eq!(error["type"], "invalid_request_error", "{form}");
        assert_eq!(error["code"].as_str(), code, "{form}");
        assert_eq!(error["param"], param, "{form}");
    }
    let both = "amount=1&currency=usd&payment_method_types[]=card&automatic_payment_methods[enabled]=true";
    let error = server.post("/v1/payment_intents", both).await.error(400);
    assert_eq!(error["code"], "parameters_exclusive");
    assert_eq!(server.get("/v1/payment_intents").await.ok()["data"], json!([]));
}

#[tokio::test]
async fn type_that_the_account_lacks_is_rejected() {
    let server = Setup::new().types(&["card"]).start().await;
    let form = "amount=1&currency=usd&payment_method_types[]=paypal";
    let error = server.post("/v1/payment_intents", form).await.error(400);
    assert_eq!((&error["type"], &error["param"]), (&json!("invalid_request_error"), &json!("payment_method_types")));
    assert!(error["message"].as_str().unwrap().starts_with("The payment method type provided: paypal is invalid."));
}

#[tokio::test]
async fn open_intent_is_cancelled() {
    let server = Setup::new().start().await;
    let unpaid = server.intent(100).await;
    let form = "amount=1&currency=usd&payment_method=pm_card_visa";
    let with_method = server.post("/v1/payment_intents", form).await.ok();
    assert_eq!(with_method["status"], "requires_confirmation");
    let waiting = server.intent(100).await;
    let waiting = server.confirm(id(&waiting), "pm_card_authenticationRequired").await.ok();
    for intent in [&unpaid, &with_method, &waiting] {
        let path = format!("/v1/payment_intents/{}/cancel", id(intent));
        let canceled = server.post(&path, "cancellation_reason=abandoned").await.ok();
        assert_eq!(canceled["status"], "canceled");
        assert_eq!(canceled["cancellation_reason"], "abandoned");
        assert!(canceled["canceled_at"].is_i64());
        assert_eq!(canceled["next_action"], json!(null));
        assert_eq!(server.read(id(intent)).await, canceled);
    }
    let events = server.get("/v1/events?type=payment_intent.canceled").await.ok();
    assert_eq!(events["data"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn completed_intent_is_not_cancelled() {
    let server = Setup::new().start().await;
    let paid = server.paid(100, "pm_card_visa").await;
    let path = format!("/v1/payment_intents/{}/cancel", id(&paid));
    let error = server.post(&path, "").await.error(400);
    assert_eq!(error["code"], "payment_intent_unexpected_state");
    assert_eq!(error["payment_intent"], paid);
    assert!(error["message"].as_str().unwrap().starts_with(
        "You cannot cancel this PaymentIntent because it has a status of succeeded. Only a PaymentIntent with one of"
    ));

    let other = server.intent(100).await;
    let path = format!("/v1/payment_intents/{}/cancel", id(&other));
    assert!(server.post(&path, "cancellation_reason=whim").await.error(400)["code"].is_null());
    server.post(&path, "").await.ok();
    let error = server.post(&path, "").await.error(400);
    assert_eq!(error["payment_intent"]["status"], "canceled");
}

#[tokio::test]
async fn unknown_object_is_404() {
    let server = Setup::new().start().await;
    for reply in [
        server.get("/v1/payment_intents/pi_none").await,
        server.post("/v1/payment_intents/pi_none/cancel", "").await,
        server.confirm("pi_none", "pm_card_visa").await,
    ] {
        let error = reply.error(404);
        assert_eq!(error["code"], "resource_missing");
        assert_eq!(error["message"], "No such payment_intent: 'pi_none'");
        assert_eq!(error["param"], "intent");
    }
    for reply in [server.get("/v1/cookies").await, server.post("/v1/events", "").await] {
        let message = reply.error(404)["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with("Unrecognized request URL ("), "{message}");
    }
}

#[tokio::test]
async fn only_the_secret_key_authenticates_the_account() {
    let server = Setup::new().start().await;
    let intent = server.intent(100).await;
    let calls = [
        (Method::POST, "/v1/payment_intents".to_owned()),
        (Method::GET, "/v1/payment_intents".to_owned()),
        (Method::GET, format!("/v1/payment_intents/{}", id(&intent))),
        (Method::POST, format!("/v1/payment_intents/{}/confirm", id(&intent))),
        (Method::POST, format!("/v1/payment_intents/{}/cancel", id(&intent))),
        (Method::POST, "/v1/refunds".to_owned()),
        (Method::GET, "/v1/refunds".to_owned()),
        (Method::GET, "/v1/refunds/re_1".to_owned()),
        (Method::GET, "/v1/events".to_owned()),
    ];
    for (method, path) in calls {
        let none = reply(server.request(method.clone(), &path)).await;
        assert!(none.headers.contains_key(WWW_AUTHENTICATE));
        let message = none.error(401)["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with("You did not provide an API key."), "{message}");
        let wrong = server.request(method.clone(), &path).bearer_auth("sk_test_1234567890abcdeX");
        let error = reply(wrong).await.error(401);
        assert_eq!(error["type"], "invalid_request_error");
        assert_eq!(error["message"], "Invalid API Key provided: sk_test_************cdeX");
        let confirm_or_read = path.ends_with("confirm") || (method == Method::GET && path.contains("/pi_"));
        if !confirm_or_read {
            let browser = reply(server.request(method, &path).bearer_auth(BROWSER.0)).await;
            assert_eq!(browser.error(401)["code"], "secret_key_required", "{path}");
        }
    }
    let basic = server.request(Method::GET, "/v1/events").basic_auth(SECRET_KEY, Some(""));
    reply(basic).await.ok();
}

#[tokio::test]
async fn bodies_must_be_forms_of_limited_size() {
    let server = Setup::new().start().await;
    let post =
        || server.request(Method::POST, "/v1/payment_intents").header(AUTHORIZATION, format!("Bearer {SECRET_KEY}"));
    let json = post().header(CONTENT_TYPE, "application/json").body("{\"amount\":1}");
    let message = reply(json).await.error(400)["message"].as_str().unwrap().to_owned();
    assert!(message.contains("application/x-www-form-urlencoded"), "{message}");
    let large =
        post().header(CONTENT_TYPE, "application/x-www-form-urlencoded").body("a=".to_owned() + &"x".repeat(300_000));
    reply(large).await.error(413);
    let broken = post().header(CONTENT_TYPE, "application/x-www-form-urlencoded").body("metadata[a=1");
    reply(broken).await.error(400);
}

#[tokio::test]
async fn health_requires_no_key() {
    let server = Setup::new().start().await;
    let health = reply(server.request(Method::GET, "/health")).await.ok();
    assert_eq!(health["status"], "healthy");
}
