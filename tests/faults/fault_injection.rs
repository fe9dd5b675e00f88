//! Injected faults: they take effect, are visible, and end when they are cleared.

use std::process::Output;

use serde_json::{Value, json};
use testkit::fleet::{ApiClient, ClientExt as _, Deployment, Fleet, ResponseExt as _, deploy_with, until};
use testkit::fleet_tests;

fn fault(fleet: &Fleet, arguments: &[&str]) -> Output {
    fleet.command(&[&["fault"], arguments].concat()).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn set(fleet: &Fleet, arguments: &[&str]) {
    let output = fault(fleet, &[&["set"], arguments].concat());
    assert!(output.status.success(), "{}", text(&output));
}

fn clear(fleet: &Fleet, name: &str) {
    let output = fault(fleet, &["clear", name]);
    assert!(output.status.success() && text(&output).contains("cleared"), "{}", text(&output));
}

/// Returns the sum of a metric's series whose labels contain this text.
async fn metric(fleet: &Fleet, service: &str, name: &str, label: &str) -> u64 {
    let url = format!("{}/metrics", fleet.run.services[service]);
    let shown = reqwest::get(&url).await.unwrap().text().await.unwrap();
    let series = shown.lines().filter(|line| line.starts_with(&format!("{name}{{")) && line.contains(label));
    series.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

async fn until_more(fleet: &Fleet, service: &str, name: &str, label: &str, before: u64) {
    let what = format!("more of {name} {label}");
    until(&what, || async { (metric(fleet, service, name, label).await > before).then_some(()) }).await;
}

async fn pending(fleet: &Fleet, service: &str) -> i64 {
    let program = fleet.service().await.unwrap().at(&fleet.run.services[service]);
    program.get("/ops/outbox").await.json(200)["pending"].as_i64().unwrap()
}

/// Waits until pending work is done after a fault was cleared.
async fn until_back(person: &ApiClient, order: &Value) {
    person.until_order(order, "confirmed", "completed").await;
}

async fn fault_is_active_until_it_is_cleared(deployment: Deployment) {
    let Some(fleet) = deploy_with(deployment, &[("FAULTS", "on")]).await else { return };
    let person = fleet.customer().await.unwrap();
    let listed = text(&fault(&fleet, &["list"]));
    assert!(listed.contains("provider-delay") && listed.contains(" 0 set"), "{listed}");

    set(&fleet, &["http-errors", "--service", "product-service"]);
    let _ = person.get("/api/products/1").await.problem(500, "INTERNAL");
    let _ = person.get("/api/orders").await.json(200);
    assert!(text(&fault(&fleet, &["list"])).contains(" 1 set"));
    clear(&fleet, "http-errors");
    let _ = person.get("/api/products/1").await.json(200);

    set(&fleet, &["http-delay", "--service", "product-service", "--delay-ms", "300"]);
    let started = std::time::Instant::now();
    let _ = person.get("/api/products/1").await.json(200);
    assert!(started.elapsed().as_millis() >= 300);
    clear(&fleet, "http-delay");

    let errors = metric(&fleet, "product-service", "cache_requests_total", "error").await;
    set(&fleet, &["cache-gone"]);
    let _ = person.get("/api/products/1").await.json(200);
    until_more(&fleet, "product-service", "cache_requests_total", "error", errors).await;
    clear(&fleet, "cache-gone");

    set(&fleet, &["hot-row", "--delay-ms", "200"]);
    let started = std::time::Instant::now();
    person.place(&[(1, 1)]).await;
    assert!(started.elapsed().as_millis() >= 200);
    clear(&fleet, "hot-row");

    // Events stay in the outbox while publishing fails, and in their queues while consumers are stopped.
    set(&fleet, &["publish-errors", "--service", "order-service"]);
    let order = person.place(&[(1, 1)]).await;
    assert!(pending(&fleet, "order-service").await > 0);
    clear(&fleet, "publish-errors");
    set(&fleet, &["consumer-stop", "--service", "order-service"]);
    let payment = person.pay(&order).await;
    let _ = fleet.charge(&payment, "pm_card_visa").await.json(200);
    person.until_payment(&payment, "completed").await;
    clear(&fleet, "consumer-stop");
    until_back(&person, &order).await;

    let retried = metric(&fleet, "order-service", "messaging_process_duration_seconds_count", "retry").await;
    set(&fleet, &["consumer-errors", "--service", "order-service"]);
    let order = person.place(&[(1, 1)]).await;
    let payment = person.pay(&order).await;
    let _ = fleet.charge(&payment, "pm_card_visa").await.json(200);
    until_more(&fleet, "order-service", "messaging_process_duration_seconds_count", "retry", retried).await;
    clear(&fleet, "consumer-errors");
    until_back(&person, &order).await;

    let order = person.place(&[(1, 1)]).await;
    set(&fleet, &["provider-errors"]);
    let _ = person.request_payment(&order).await.problem(502, "PROVIDER_ERROR");
    clear(&fleet, "provider-errors");
    set(&fleet, &["provider-delay", "--delay-ms", "250"]);
    let started = std::time::Instant::now();
    let payment = until("a payment", || async {
        let response = person.request_payment(&order).await;
        (response.status == 201).then_some(response.body)
    })
    .await;
    assert!(started.elapsed().as_millis() >= 250);
    clear(&fleet, "provider-delay");
    let _ = fleet.charge(&payment, "pm_card_visa").await.json(200);
    until_back(&person, &order).await;

    set(&fleet, &["slow-passwords", "--delay-ms", "300"]);
    let started = std::time::Instant::now();
    let wrong = json!({"email": "nobody@example.com", "password": "password123"});
    let _ = fleet.visitor().post("/api/auth/login", &wrong).await.problem(401, "INVALID_CREDENTIALS");
    assert!(started.elapsed().as_millis() >= 300);

    let cleared = fault(&fleet, &["clear"]);
    assert!(cleared.status.success() && text(&fault(&fleet, &["list"])).contains(" 0 set"), "{}", text(&cleared));
    let unknown = fault(&fleet, &["set", "earthquake"]);
    assert!(!unknown.status.success() && text(&unknown).contains("fault list"), "{}", text(&unknown));
}

fleet_tests!(embedded = Embedded: fault_is_active_until_it_is_cleared);
fleet_tests!(on_servers = Servers: fault_is_active_until_it_is_cleared);

#[tokio::test]
async fn faults_are_rejected_unless_enabled() {
    let fleet = Fleet::start().await.unwrap();
    let rejected = fault(&fleet, &["set", "http-errors"]);
    assert!(!rejected.status.success() && text(&rejected).contains("FAULTS=on"), "{}", text(&rejected));
    let _ = fleet.visitor().get("/api/products/1").await.json(200);
}
