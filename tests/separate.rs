//! The fleet as separate processes that share files.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::json;
use testkit::fleet::{Fleet, Way, binary};

const SERVICES: [&str; 4] = ["user-service", "product-service", "order-service", "payment-service"];

#[tokio::test]
async fn an_order_is_paid_by_webhook_and_given_back() {
    let fleet = Fleet::of(Way::Files).await.unwrap();
    let person = fleet.customer().await;
    let before = person.stock(1).await;
    let order = person.place(&[(1, 2)]).await;
    let payment = person.pay(&order).await;
    let _ = fleet.charge(&payment, "pm_card_visa").await.expect(200);
    person.until_order(&order, "confirmed", "completed").await;
    let path = format!("/api/orders/{}/cancel", order["id"].as_str().unwrap());
    let _ = person.post(&path, &json!({})).await.expect(200);
    person.until_order(&order, "cancelled", "refunded").await;
    person.until_stock(1, before).await;
}

/// What a service without its settings says: all of it at once, and exit code 1.
#[test]
fn a_service_without_settings_names_them_all() {
    for name in SERVICES {
        let mut child = Command::new(binary().with_file_name(name))
            .env_clear()
            .env("DB_HOST", "localhost")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let told: Vec<_> = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap).collect();
        assert_eq!(child.wait().unwrap().code(), Some(1), "{told:?}");
        let told = told.join("\n");
        for variable in
            ["REDIS_URL", "RABBITMQ_URL", if name == "user-service" { "MONGODB_URL" } else { "DATABASE_URL" }]
        {
            assert!(told.contains(&format!("{name}: {variable} is missing")), "{told}");
        }
        assert_eq!(name == "user-service", !told.contains("DB_HOST is no longer read"), "{told}");
    }
}
