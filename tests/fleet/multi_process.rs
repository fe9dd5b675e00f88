//! Separate service processes that share files.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::json;
use testkit::fleet::{ClientExt as _, Deployment, ResponseExt as _, deploy, shopfleet_binary};

const SERVICES: [&str; 4] = ["user-service", "product-service", "order-service", "payment-service"];

#[tokio::test]
async fn order_is_paid_by_webhook_and_refunded() {
    let fleet = deploy(Deployment::Files).await.unwrap();
    let person = fleet.customer().await.unwrap();
    let before = person.stock(1).await;
    let order = person.place(&[(1, 2)]).await;
    let payment = person.pay(&order).await;
    let _ = fleet.charge(&payment, "pm_card_visa").await.json(200);
    person.until_order(&order, "confirmed", "completed").await;
    let path = format!("/api/orders/{}/cancel", order["id"].as_str().unwrap());
    let _ = person.post(&path, &json!({})).await.json(200);
    person.until_order(&order, "cancelled", "refunded").await;
    person.until_stock(1, before).await;
}

/// A service without settings reports all missing ones at once and exits with 1.
#[test]
fn service_without_settings_reports_all_of_them() {
    for name in SERVICES {
        let mut child = Command::new(shopfleet_binary().unwrap().with_file_name(name))
            .env_clear()
            .env("DB_HOST", "localhost")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let reported: Vec<_> = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap).collect();
        assert_eq!(child.wait().unwrap().code(), Some(1), "{reported:?}");
        let reported = reported.join("\n");
        for variable in
            ["REDIS_URL", "RABBITMQ_URL", if name == "user-service" { "MONGODB_URL" } else { "DATABASE_URL" }]
        {
            assert!(reported.contains(&format!("{name}: {variable} is missing")), "{reported}");
        }
        assert_eq!(name == "user-service", !reported.contains("DB_HOST is no longer read"), "{reported}");
    }
}
