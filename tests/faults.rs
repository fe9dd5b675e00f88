//! Faults that an operator puts into a running fleet strike, are seen, and end when they are taken out.
#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect fails")]

use std::process::Output;

use serde_json::{Value, json};
use testkit::fleet::{Fleet, Person, Way, until};
use testkit::in_one_way;

fn fault(fleet: &Fleet, arguments: &[&str]) -> Output {
    fleet.command(&[&["fault"], arguments].concat()).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn set(fleet: &Fleet, arguments: &[&str]) {
    let said = fault(fleet, &[&["set"], arguments].concat());
    assert!(said.status.success(), "{}", text(&said));
}

fn clear(fleet: &Fleet, name: &str) {
    let said = fault(fleet, &["clear", name]);
    assert!(said.status.success() && text(&said).contains("taken out"), "{}", text(&said));
}

/// The sum of a metric's series of a service whose labels have this text.
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
    let program = fleet.service().await.at(&fleet.run.services[service]);
    program.get("/ops/outbox").await.expect(200)["pending"].as_i64().unwrap()
}

/// What went on meanwhile is done once the fault is taken out.
async fn until_back(person: &Person, order: &Value) {
    person.until_order(order, "confirmed", "completed").await;
}

async fn each_fault_strikes_until_it_is_taken_out(way: Way) {
    let Some(fleet) = Fleet::with(way, &[("FAULTS", "on")]).await else { return };
    let person = fleet.customer().await;
    let listed = text(&fault(&fleet, &["list"]));
    assert!(listed.contains("provider-delay") && listed.contains(" 0 set"), "{listed}");

    set(&fleet, &["http-errors", "--service", "product-service"]);
    let _ = person.get("/api/products/1").await.refused(500, "INTERNAL");
    let _ = person.get("/api/orders").await.expect(200);
    assert!(text(&fault(&fleet, &["list"])).contains(" 1 set"));
    clear(&fleet, "http-errors");
    let _ = person.get("/api/products/1").await.expect(200);

    set(&fleet, &["http-delay", "--service", "product-service", "--delay-ms", "300"]);
    let begun = std::time::Instant::now();
    let _ = person.get("/api/products/1").await.expect(200);
    assert!(begun.elapsed().as_millis() >= 300);
    clear(&fleet, "http-delay");

    let errors = metric(&fleet, "product-service", "cache_requests_total", "error").await;
    set(&fleet, &["cache-gone"]);
    let _ = person.get("/api/products/1").await.expect(200);
    until_more(&fleet, "product-service", "cache_requests_total", "error", errors).await;
    clear(&fleet, "cache-gone");

    set(&fleet, &["hot-row", "--delay-ms", "200"]);
    let begun = std::time::Instant::now();
    person.place(&[(1, 1)]).await;
    assert!(begun.elapsed().as_millis() >= 200);
    clear(&fleet, "hot-row");

    // Events are kept while the bus takes none, and nothing is heard while nobody listens.
    set(&fleet, &["publish-errors", "--service", "order-service"]);
    let order = person.place(&[(1, 1)]).await;
    assert!(pending(&fleet, "order-service").await > 0);
    clear(&fleet, "publish-errors");
    set(&fleet, &["consumer-stop", "--service", "order-service"]);
    let payment = person.pay(&order).await;
    let _ = fleet.charge(&payment, "pm_card_visa").await.expect(200);
    person.until_payment(&payment, "completed").await;
    clear(&fleet, "consumer-stop");
    until_back(&person, &order).await;

    let retried = metric(&fleet, "order-service", "messaging_process_duration_seconds_count", "retry").await;
    set(&fleet, &["consumer-errors", "--service", "order-service"]);
    let order = person.place(&[(1, 1)]).await;
    let payment = person.pay(&order).await;
    let _ = fleet.charge(&payment, "pm_card_visa").await.expect(200);
    until_more(&fleet, "order-service", "messaging_process_duration_seconds_count", "retry", retried).await;
    clear(&fleet, "consumer-errors");
    until_back(&person, &order).await;

    let order = person.place(&[(1, 1)]).await;
    set(&fleet, &["provider-errors"]);
    let _ = person.try_pay(&order).await.refused(502, "PROVIDER_ERROR");
    clear(&fleet, "provider-errors");
    set(&fleet, &["provider-delay", "--delay-ms", "250"]);
    let begun = std::time::Instant::now();
    let payment = until("a payment", || async {
        let answer = person.try_pay(&order).await;
        (answer.status == 201).then_some(answer.body)
    })
    .await;
    assert!(begun.elapsed().as_millis() >= 250);
    clear(&fleet, "provider-delay");
    let _ = fleet.charge(&payment, "pm_card_visa").await.expect(200);
    until_back(&person, &order).await;

    set(&fleet, &["slow-passwords", "--delay-ms", "300"]);
    let begun = std::time::Instant::now();
    let wrong = json!({"email": "nobody@example.com", "password": "password123"});
    let _ = fleet.visitor().post("/api/auth/login", &wrong).await.refused(401, "INVALID_CREDENTIALS");
    assert!(begun.elapsed().as_millis() >= 300);

    let cleared = fault(&fleet, &["clear"]);
    assert!(cleared.status.success() && text(&fault(&fleet, &["list"])).contains(" 0 set"), "{}", text(&cleared));
    let unknown = fault(&fleet, &["set", "earthquake"]);
    assert!(!unknown.status.success() && text(&unknown).contains("fault list"), "{}", text(&unknown));
}

in_one_way!(embedded, Embedded, each_fault_strikes_until_it_is_taken_out);
in_one_way!(on_servers, Servers, each_fault_strikes_until_it_is_taken_out);

#[tokio::test]
async fn a_fleet_that_was_started_without_takes_none() {
    let fleet = Fleet::start().await;
    let refused = fault(&fleet, &["set", "http-errors"]);
    assert!(!refused.status.success() && text(&refused).contains("FAULTS=on"), "{}", text(&refused));
    let _ = fleet.visitor().get("/api/products/1").await.expect(200);
}
