//! Hosted payment page, as a browser without scripts uses it.

use reqwest::Method;
use reqwest::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, LOCATION};
use serde_json::{Value, json};

use crate::support::{Reply, SHOP, Server, Setup, eventually, id, reply};

const RETURN_URL: &str = "http://localhost:8000/orders/1?tab=pay";

fn page_of(intent: &Value, return_url: Option<&str>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("client_secret", intent["client_secret"].as_str().unwrap());
    if let Some(url) = return_url {
        query.append_pair("return_url", url);
    }
    format!("/pay/{}?{}", id(intent), query.finish())
}

async fn open(server: &Server, page: &str) -> Reply {
    reply(server.request(Method::GET, page)).await
}

async fn choose(server: &Server, page: &str, method: &str) -> Reply {
    let form = server.request(Method::POST, page).header("content-type", "application/x-www-form-urlencoded");
    reply(form.body(format!("method={method}"))).await
}

fn returned(intent: &Value, status: &str) -> String {
    format!("{RETURN_URL}&payment_intent={}&redirect_status={status}", id(intent))
}

#[tokio::test]
async fn page_shows_amount_and_methods_without_scripts() {
    let server = Setup::new().start().await;
    let form =
        "amount=1234&currency=usd&payment_method_types[]=card&description=Order <script>alert(1)</script> %26 more";
    let intent = server.post("/v1/payment_intents", form).await.ok();
    let shown = open(&server, &page_of(&intent, Some(RETURN_URL))).await;
    assert_eq!(shown.status, 200);
    for text in
        ["$12.34", "localhost", "Visa", "4242", "Succeeds", "Declined", "Needs 3-D Secure", "Insufficient funds"]
    {
        assert!(shown.text.contains(text), "{text} is missing in\n{}", shown.text);
    }
    assert!(shown.text.contains("Refund fails later") && shown.text.contains(">Pay</button>"));
    assert_eq!(shown.text.matches("type=\"radio\"").count(), 5);
    assert!(!shown.text.contains("<script") && shown.text.contains("&#60;script&#62;"), "{}", shown.text);
    let policy = shown.headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
    assert!(policy.contains("form-action 'self' http://localhost:8000;"), "{policy}");
    assert_eq!(shown.headers[CACHE_CONTROL], "no-store");
    assert_eq!(shown.headers["referrer-policy"], "same-origin");
}

#[tokio::test]
async fn policy_allows_the_stylesheet_of_the_page() {
    use base64::Engine as _;
    use sha2::Digest as _;

    let server = Setup::new().start().await;
    let intent = server.intent(100).await;
    let shown = open(&server, &page_of(&intent, None)).await;
    let style = shown.text.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
    let hash = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(style));
    assert!(shown.headers[CONTENT_SECURITY_POLICY].to_str().unwrap().contains(&format!("style-src 'sha256-{hash}'")));
}

#[tokio::test]
async fn payment_returns_to_the_shop_with_its_result() {
    let server = Setup::new().start().await;
    for (method, redirect_status, status, error) in [
        ("pm_card_visa", "succeeded", "succeeded", json!(null)),
        ("pm_card_refundFail", "succeeded", "succeeded", json!(null)),
        ("pm_card_chargeDeclined", "failed", "requires_payment_method", json!("generic_decline")),
        ("pm_card_chargeDeclinedInsufficientFunds", "failed", "requires_payment_method", json!("insufficient_funds")),
    ] {
        let intent = server.intent(1234).await;
        let done = choose(&server, &page_of(&intent, Some(RETURN_URL)), method).await;
        assert_eq!(done.status, 303, "{}", done.text);
        assert_eq!(done.headers[LOCATION], returned(&intent, redirect_status));
        let paid = server.read(id(&intent)).await;
        assert_eq!(
            (&paid["status"], &paid["last_payment_error"]["decline_code"]),
            (&json!(status), &error),
            "{method}"
        );
    }
}

#[tokio::test]
async fn refund_of_the_last_card_fails_later() {
    let server = Setup::new().start().await;
    let intent = server.intent(1234).await;
    choose(&server, &page_of(&intent, None), "pm_card_refundFail").await;
    let refund = server.post("/v1/refunds", &format!("payment_intent={}", id(&intent))).await.ok();
    assert_eq!(refund["status"], "succeeded");
    eventually("the refund fails", || async {
        let refund = server.get(&format!("/v1/refunds/{}", id(&refund))).await.ok();
        (refund["status"] == "failed").then_some(())
    })
    .await;
}

#[tokio::test]
async fn double_submit_pays_once() {
    let server = Setup::new().start().await;
    let intent = server.intent(1234).await;
    let page = page_of(&intent, Some(RETURN_URL));
    let (first, second) = tokio::join!(choose(&server, &page, "pm_card_visa"), choose(&server, &page, "pm_card_visa"));
    for done in [first, second, choose(&server, &page, "pm_card_chargeDeclined").await] {
        assert_eq!((done.status, &done.headers[LOCATION]), (303, &returned(&intent, "succeeded").parse().unwrap()));
    }
    let paid = server.read(id(&intent)).await;
    assert_eq!((&paid["status"], &paid["amount_received"]), (&json!("succeeded"), &json!(1234)));
    let events = server.get("/v1/events?type=payment_intent.succeeded").await.ok();
    assert_eq!(events["data"].as_array().unwrap().len(), 1);
    let shown = open(&server, &page).await;
    assert!(shown.status == 200 && shown.text.contains("This payment is complete"), "{}", shown.text);
    assert!(shown.text.contains("Return to the shop") && !shown.text.contains("<form"), "{}", shown.text);
}

#[tokio::test]
async fn authentication_is_a_step_before_the_return() {
    let server = Setup::new().start().await;
    for (outcome, redirect_status) in [("approve", "succeeded"), ("fail", "failed")] {
        let intent = server.intent(1234).await;
        let page = page_of(&intent, Some(RETURN_URL));
        let step = choose(&server, &page, "pm_card_authenticationRequired").await;
        let location = step.headers[LOCATION].to_str().unwrap();
        assert_eq!((step.status, location), (303, &*format!("../sandbox/3ds/{}?hosted=true", id(&intent))));
        // A reload of the page continues there.
        assert_eq!(open(&server, &page).await.headers[LOCATION], location);
        let approval = location.strip_prefix("..").unwrap();
        let shown = open(&server, approval).await;
        assert!(shown.text.contains("$12.34") && shown.text.contains("Visa •••• 3184"), "{}", shown.text);
        let policy = shown.headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("form-action 'self' http://localhost:8000;"), "{policy}");
        for _ in 0..2 {
            let form = server.request(Method::POST, approval).form(&[("outcome", outcome)]);
            let done = reply(form).await;
            assert_eq!(
                (done.status, &done.headers[LOCATION]),
                (303, &returned(&intent, redirect_status).parse().unwrap())
            );
        }
        let expected = if outcome == "approve" { "succeeded" } else { "requires_payment_method" };
        assert_eq!(server.read(id(&intent)).await["status"], expected);
    }
}

#[tokio::test]
async fn method_of_the_intent_other_than_a_card_is_approved_on_a_page() {
    let server = Setup::new().start().await;
    let intent = server.post("/v1/payment_intents", "amount=100&currency=usd&payment_method_types[]=paypal").await.ok();
    let page = page_of(&intent, Some(RETURN_URL));
    let shown = open(&server, &page).await;
    assert!(shown.text.contains("PayPal") && !shown.text.contains("Visa"), "{}", shown.text);
    assert_eq!(choose(&server, &page, "pm_card_visa").await.status, 400);
    let step = choose(&server, &page, "paypal").await;
    assert_eq!(step.status, 303, "{}", step.text);
    assert_eq!(server.read(id(&intent)).await["status"], "requires_action");
}

#[tokio::test]
async fn page_without_return_url_shows_the_result() {
    let server = Setup::new().start().await;
    let intent = server.intent(1234).await;
    let page = page_of(&intent, None);
    let declined = choose(&server, &page, "pm_card_chargeDeclined").await;
    assert!(declined.status == 200 && declined.text.contains("Your card was declined."), "{}", declined.text);
    let done = choose(&server, &page, "pm_card_visa").await;
    assert!(done.status == 200 && done.text.contains("Payment complete"), "{}", done.text);
    assert!(!done.text.contains("Return to the shop"));
}

#[tokio::test]
async fn missing_or_unknown_method_is_reported_on_the_page() {
    let server = Setup::new().start().await;
    let intent = server.intent(100).await;
    let page = page_of(&intent, Some(RETURN_URL));
    for method in ["", "pm_card_amex", "redirect", "card"] {
        let shown = choose(&server, &page, method).await;
        assert!(shown.status == 400 && shown.text.contains("Choose one of"), "{method}: {}", shown.text);
    }
    let other_type = reply(server.request(Method::POST, &page).json(&json!({"method": "pm_card_visa"}))).await;
    assert!(other_type.status == 400 && other_type.text.contains("Choose one of"), "{}", other_type.text);
    assert_eq!(server.read(id(&intent)).await["status"], "requires_payment_method");
}

#[tokio::test]
async fn cancelled_payment_is_not_payable() {
    let server = Setup::new().start().await;
    let intent = server.intent(100).await;
    server.post(&format!("/v1/payment_intents/{}/cancel", id(&intent)), "").await.ok();
    let page = page_of(&intent, Some(RETURN_URL));
    let shown = open(&server, &page).await;
    assert!(shown.status == 200 && shown.text.contains("Payment cancelled"), "{}", shown.text);
    assert!(shown.text.contains("redirect_status=failed"), "{}", shown.text);
    assert_eq!(choose(&server, &page, "pm_card_visa").await.status, 409);
    assert_eq!(server.read(id(&intent)).await["status"], "canceled");
}

#[tokio::test]
async fn foreign_return_url_is_rejected() {
    let server = Setup::new().start().await;
    let intent = server.intent(100).await;
    for allowed in [SHOP, "http://LOCALHOST:8000/a", "http://127.0.0.1:8000/orders"] {
        assert_eq!(open(&server, &page_of(&intent, Some(allowed))).await.status, 200, "{allowed}");
    }
    for foreign in [
        "http://shop.example/orders/1",
        "https://localhost:8000/",
        "http://localhost:8001/",
        "http://localhost/",
        "http://localhost:8000.shop.example/",
        "http://localhost:8000@shop.example/",
        "http://user:password@localhost:8000/",
        "//localhost:8000/",
        "/orders/1",
        "javascript:alert(1)",
        "",
    ] {
        let page = page_of(&intent, Some(foreign));
        for rejected in [open(&server, &page).await, choose(&server, &page, "pm_card_visa").await] {
            assert_eq!(rejected.status, 400, "{foreign}");
            assert!(
                rejected.text.contains("does not lead back to the shop") && !rejected.text.contains("href"),
                "{foreign}"
            );
        }
    }
    assert_eq!(server.read(id(&intent)).await["status"], "requires_payment_method");
}

#[tokio::test]
async fn unknown_intent_and_wrong_secret_are_rejected() {
    let server = Setup::new().start().await;
    let (intent, other) = (server.intent(100).await, server.intent(200).await);
    let secret = other["client_secret"].as_str().unwrap();
    let pages = [
        (format!("/pay/pi_none?client_secret={secret}"), 404, "Payment not found"),
        (format!("/pay/{}?client_secret={secret}", id(&intent)), 403, "This link is not valid"),
        (format!("/pay/{}", id(&intent)), 403, "This link is not valid"),
    ];
    for (page, status, text) in pages {
        for rejected in [open(&server, &page).await, choose(&server, &page, "pm_card_visa").await] {
            assert_eq!(rejected.status, status, "{page}");
            assert!(rejected.text.contains(text) && !rejected.text.contains("$1.00"), "{page}: {}", rejected.text);
        }
    }
    assert_eq!(server.read(id(&intent)).await["status"], "requires_payment_method");
}
