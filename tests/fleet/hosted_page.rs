//! Payment page of the sandbox in an embedded fleet.

use reqwest::{StatusCode, Url, redirect};
use serde_json::json;
use testkit::fleet::{ClientExt as _, Fleet, ResponseExt as _};

#[tokio::test(flavor = "multi_thread")]
async fn customer_pays_on_the_page_and_returns_to_the_shop() {
    let fleet = Fleet::start().await.unwrap();
    let config = fleet.visitor().get("/api/payments/config").await.json(200);
    assert_eq!((&config["mode"], &config["hosted_url"]), (&json!("sandbox"), &json!(fleet.run.stripe)));
    assert_eq!(config["publishable_key"], fleet.credentials().unwrap()["stripe"]["publishable_key"]);

    let person = fleet.customer().await.unwrap();
    let order = person.place(&[(1, 1)]).await;
    let payment = person.pay(&order).await;
    let mut page: Url = payment["redirect_url"].as_str().unwrap().parse().unwrap();
    assert!(page.as_str().starts_with(&fleet.run.stripe), "{page}");
    let shop = fleet.gateway(&format!("/orders/{}", order["id"].as_str().unwrap()));
    page.query_pairs_mut().append_pair("return_url", &shop);

    let browser = common::client::http_client(|builder| builder.no_proxy().redirect(redirect::Policy::none())).unwrap();
    let shown = browser.get(page.clone()).send().await.unwrap();
    assert_eq!(shown.status(), StatusCode::OK);
    assert!(shown.text().await.unwrap().contains(">Pay</button>"));
    let done = browser.post(page).form(&[("method", "pm_card_visa")]).send().await.unwrap();
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    let intent = payment["payment"]["provider_transaction_id"].as_str().unwrap();
    assert_eq!(done.headers()["location"], format!("{shop}?payment_intent={intent}&redirect_status=succeeded"));
    person.until_order(&order, "confirmed", "completed").await;
}
