//! Confirmation: outcome of each test method, and errors of the status.

use serde_json::json;

use crate::support::{Setup, id};

#[tokio::test]
async fn valid_card_is_charged() {
    let server = Setup::new().start().await;
    for method in ["pm_card_visa", "pm_card_mastercard", "pm_card_amex"] {
        let intent = server.paid(1, method).await;
        assert_eq!(intent["status"], "succeeded");
        assert_eq!(intent["amount_received"], 1);
        assert!(intent["latest_charge"].as_str().unwrap().starts_with("ch_"));
        let stored = intent["payment_method"].as_str().unwrap();
        assert!(stored.starts_with("pm_") && stored != method, "{stored}");
        assert_eq!(server.read(id(&intent)).await, intent);
    }
}

#[tokio::test]
async fn declined_card_leaves_the_intent_open() {
    let server = Setup::new().start().await;
    let intent = server.intent(700).await;
    let error = server.confirm(id(&intent), "pm_card_chargeDeclined").await.error(402);
    assert_eq!(error["type"], "card_error");
    assert_eq!(error["code"], "card_declined");
    assert_eq!(error["decline_code"], "generic_decline");
    assert_eq!(error["message"], "Your card was declined.");
    assert_eq!(error["doc_url"], "https://stripe.com/docs/error-codes/card-declined");
    assert_eq!(error["payment_method"]["card"]["last4"], "0002");

    let after = server.read(id(&intent)).await;
    assert_eq!(error["payment_intent"], after);
    assert_eq!(after["status"], "requires_payment_method");
    assert_eq!((&after["amount_received"], &after["payment_method"]), (&json!(0), &json!(null)));
    assert_eq!(after["latest_charge"], error["charge"]);
    assert_eq!(after["last_payment_error"]["code"], "card_declined");
    assert!(after["last_payment_error"]["payment_intent"].is_null());

    let paid = server.confirm(id(&intent), "pm_card_visa").await.ok();
    assert_eq!((&paid["status"], &paid["last_payment_error"]), (&json!("succeeded"), &json!(null)));
}

#[tokio::test]
async fn cards_are_declined_with_their_codes() {
    let server = Setup::new().start().await;
    for (method, code, decline_code) in [
        ("pm_card_visa_chargeDeclined", "card_declined", Some("generic_decline")),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", Some("insufficient_funds")),
        ("pm_card_visa_chargeDeclinedLostCard", "card_declined", Some("lost_card")),
        ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", Some("stolen_card")),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", None),
    ] {
        let intent = server.intent(100).await;
        let error = server.confirm(id(&intent), method).await.error(402);
        assert_eq!((error["code"].as_str(), error["decline_code"].as_str()), (Some(code), decline_code), "{method}");
    }
}

#[tokio::test]
async fn completed_intent_is_not_confirmed() {
    let server = Setup::new().start().await;
    let paid = server.paid(100, "pm_card_visa").await;
    let error = server.confirm(id(&paid), "pm_card_visa").await.error(400);
    assert_eq!(error["code"], "payment_intent_unexpected_state");
    assert_eq!(error["payment_intent"], paid);

    let canceled = server.intent(100).await;
    server.post(&format!("/v1/payment_intents/{}/cancel", id(&canceled)), "").await.ok();
    let error = server.confirm(id(&canceled), "pm_card_visa").await.error(400);
    assert_eq!(error["code"], "payment_intent_unexpected_state");
    assert_eq!(error["payment_intent"]["status"], "canceled");
}

#[tokio::test]
async fn method_must_exist_and_have_an_allowed_type() {
    let server = Setup::new().start().await;
    let intent = server.intent(100).await;
    let error = server.confirm(id(&intent), "pm_none").await.error(400);
    assert_eq!(
        (&error["code"], &error["message"]),
        (&json!("resource_missing"), &json!("No such PaymentMethod: 'pm_none'"))
    );
    let error = server.confirm(id(&intent), "pm_paypal").await.error(400);
    assert_eq!(error["param"], "payment_method");
    assert!(error["message"].as_str().unwrap().starts_with("The PaymentMethod provided (paypal) is not allowed"));
    let path = format!("/v1/payment_intents/{}/confirm", id(&intent));
    let error = server.post(&path, "").await.error(400);
    assert_eq!(error["code"], "payment_intent_unexpected_state");
    assert!(error["message"].as_str().unwrap().contains("it's missing a payment method"));
    let error = server.post(&path, "payment_method=pm_card_visa&colour=red").await.error(400);
    assert_eq!(error["code"], "parameter_unknown");
    let both = "payment_method=pm_card_visa&payment_method_data[type]=paypal";
    assert_eq!(server.post(&path, both).await.error(400)["code"], "parameters_exclusive");
    assert_eq!(server.read(id(&intent)).await, intent);
}

#[tokio::test]
async fn stored_method_is_used_by_default() {
    let server = Setup::new().start().await;
    let form = "amount=100&currency=usd&payment_method_types[]=card&payment_method=pm_card_visa";
    let intent = server.post("/v1/payment_intents", form).await.ok();
    let path = format!("/v1/payment_intents/{}/confirm", id(&intent));
    let paid = server.post(&path, "").await.ok();
    assert_eq!(paid["status"], "succeeded");
    assert_eq!(paid["payment_method"], intent["payment_method"]);
}

#[tokio::test]
async fn creation_can_confirm_at_once() {
    let server = Setup::new().start().await;
    let form = |method: &str| {
        format!("amount=100&currency=usd&payment_method_types[]=card&confirm=true&payment_method={method}")
    };
    let paid = server.post("/v1/payment_intents", &form("pm_card_visa")).await.ok();
    assert_eq!(paid["status"], "succeeded");
    let waiting = server.post("/v1/payment_intents", &form("pm_card_authenticationRequired")).await.ok();
    assert_eq!(waiting["status"], "requires_action");
    let error = server.post("/v1/payment_intents", &form("pm_card_chargeDeclined")).await.error(402);
    let declined = &error["payment_intent"];
    assert_eq!(&server.read(id(declined)).await, declined);
    let error = server.post("/v1/payment_intents", "amount=100&currency=usd&confirm=true").await.error(400);
    assert_eq!(error["code"], "payment_intent_unexpected_state");
}

#[tokio::test]
async fn automatic_methods_require_a_return_url() {
    let server = Setup::new().start().await;
    let form = "amount=100&currency=usd&confirm=true&payment_method=pm_card_visa";
    let error = server.post("/v1/payment_intents", form).await.error(400);
    assert_eq!(error["param"], "return_url");
    let with_url = format!("{form}&return_url=https://shop.example/done");
    assert_eq!(server.post("/v1/payment_intents", &with_url).await.ok()["status"], "succeeded");
    let never = "&automatic_payment_methods[enabled]=true&automatic_payment_methods[allow_redirects]=never";
    let never = format!("{form}{never}");
    assert_eq!(server.post("/v1/payment_intents", &never).await.ok()["status"], "succeeded");
}

#[tokio::test]
async fn paypal_succeeds_as_a_test_method_and_redirects_as_data() {
    let server = Setup::new().start().await;
    let form = "amount=100&currency=usd&payment_method_types[]=paypal&confirm=true";
    let paid = server.post("/v1/payment_intents", &format!("{form}&payment_method=pm_paypal")).await.ok();
    assert_eq!(paid["status"], "succeeded");
    let data = format!("{form}&payment_method_data[type]=paypal");
    assert_eq!(server.post("/v1/payment_intents", &data).await.error(400)["param"], "return_url");
    let data = format!("{data}&return_url=https://shop.example/done");
    let waiting = server.post("/v1/payment_intents", &data).await.ok();
    let action = json!({
        "type": "redirect_to_url",
        "redirect_to_url": {
            "return_url": "https://shop.example/done",
            "url": format!("{}/sandbox/3ds/{}", server.base, id(&waiting)),
        },
    });
    assert_eq!(waiting["next_action"], action);
}

#[tokio::test]
async fn concurrent_confirmations_charge_once() {
    let server = Setup::new().start().await;
    let intent = server.intent(100).await;
    let tries = (0..8).map(|_| server.confirm(id(&intent), "pm_card_visa"));
    let statuses: Vec<u16> = futures::future::join_all(tries).await.iter().map(|reply| reply.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    let events = server.get("/v1/events?type=payment_intent.succeeded").await.ok();
    assert_eq!(events["data"].as_array().unwrap().len(), 1);
}
