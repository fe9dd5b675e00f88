//! Metrics of a used fleet: exactly the documented ones, with correct values, and no new series for more traffic.

mod scrape;

use std::collections::BTreeSet;

use contracts::Money;
use scrape::Scrape;
use serde_json::{Value, json};
use testkit::fleet::{ApiClient, ClientExt as _, Deployment, Fleet, ResponseExt as _, deploy, until};
use testkit::fleet_tests;

const SERVICES: [(&str, &str); 4] =
    [("u", "user-service"), ("p", "product-service"), ("o", "order-service"), ("y", "payment-service")];
/// Maximum series of a service after each endpoint was called: a histogram has 17 per set of labels.
const MOST_SERIES: usize = 4000;

/// Plays four orders: paid, declined and cancelled, refunded, and rejected for lack of stock.
async fn play(fleet: &Fleet) {
    let person = fleet.customer().await.unwrap();
    let paid = person.place(&[(1, 2)]).await;
    let payment = person.pay(&paid).await;
    let _ = fleet.charge(&payment, "pm_card_visa").await.json(200);
    person.until_order(&paid, "confirmed", "completed").await;

    let declined = person.place(&[(2, 1)]).await;
    let payment = person.pay(&declined).await;
    let _ = fleet.charge(&payment, "pm_card_chargeDeclined").await.json(402);
    person.until_order(&declined, "pending", "failed").await;

    let returned = person.place(&[(1, 1)]).await;
    let payment = person.pay(&returned).await;
    let _ = fleet.charge(&payment, "pm_card_visa").await.json(200);
    person.until_order(&returned, "confirmed", "completed").await;
    let path = format!("/api/orders/{}/cancel", returned["id"].as_str().unwrap());
    let _ = person.post(&path, &json!({})).await.json(200);
    person.until_order(&returned, "cancelled", "refunded").await;

    let waiting = person.place(&[(1, 1)]).await;
    person.pay(&waiting).await;
    let _ = person.post("/api/orders", &person.order_form(&[(1, 1000)])).await.json(400);
    let _ = person.post("/api/orders", &person.order_form(&[(987_654_321, 1)])).await.json(400);
}

fn cents(order: &Value) -> i64 {
    serde_json::from_value::<Money>(order["total_amount"].clone()).unwrap().cents()
}

async fn business_events_are_counted(deployment: Deployment) {
    let Some(fleet) = deploy(deployment).await else { return };
    let admin = fleet.admin().await.unwrap();
    play(&fleet).await;
    let orders = admin.get("/api/orders?per_page=50").await.json(200);
    let orders = orders["orders"].as_array().or(orders["data"].as_array()).unwrap().clone();
    let with = |status: &str| orders.iter().filter(|order| order["payment_status"] == status).map(cents).sum::<i64>();
    let (retained, refunded) = (with("completed"), with("refunded"));

    let payment = Scrape::of(&fleet, "payment-service").await;
    assert_eq!(payment.whole(r#"payments_captured_cents_total{currency="USD"}"#), retained + refunded);
    assert_eq!(payment.whole(r#"payments_refunded_cents_total{cause="cancelled",currency="USD"}"#), refunded);
    assert_eq!(payment.value(r#"payments_refunded_cents_total{cause="granted",currency="USD"}"#), 0.0);
    assert_eq!(payment.value(r#"payments_declined_total{reason="generic_decline"}"#), 1.0);
    assert_eq!(payment.value("payment_settlement_duration_seconds_count"), 2.0);
    assert_eq!(payment.value(r#"payment_settlement_duration_seconds_bucket{le="30"}"#), 2.0);
    let order = Scrape::of(&fleet, "order-service").await;
    assert_eq!(order.value(r#"orders_refused_total{reason="insufficient_stock"}"#), 1.0);
    assert_eq!(order.value(r#"orders_refused_total{reason="product_not_found"}"#), 1.0);
    assert_eq!(order.value(r#"db_client_operation_duration_seconds_count{operation="orders.insert"}"#), 4.0);
    assert!(order.value("service_token_expiry_timestamp_seconds") > order.value("process_start_time_seconds"));
    assert!(order.value("jwks_age_seconds") > 0.0);
    let product = Scrape::of(&fleet, "product-service").await;
    assert_eq!(product.value("stock_shortages_total"), 1.0);

    let form =
        json!({"name": "Last", "description": "None left", "price": "1.00", "category": "Kitchen", "stockQuantity": 0});
    let _ = admin.post("/api/products", &form).await.json(201);
    until("what is counted at intervals", || async {
        let payment = Scrape::of(&fleet, "payment-service").await;
        let order = Scrape::of(&fleet, "order-service").await;
        let product = Scrape::of(&fleet, "product-service").await;
        let orders = ["pending", "confirmed", "cancelled", "delivered"];
        let orders = orders.map(|status| order.value(&format!(r#"orders{{status="{status}"}}"#)));
        let open =
            ["pending", "processing"].map(|status| payment.value(&format!(r#"payments_open{{status="{status}"}}"#)));
        let all = (orders, open, product.value("products_out_of_stock"));
        (all == ([2.0, 1.0, 1.0, 0.0], [1.0, 0.0], 1.0)).then_some(())
    })
    .await;
    for (_, service) in SERVICES {
        let scrape = Scrape::of(&fleet, service).await;
        assert!(scrape.value("db_client_connections_max") > 1.0, "{service}");
        assert!(
            scrape.whole(r#"db_client_connections{state="idle"}"#)
                + scrape.whole(r#"db_client_connections{state="used"}"#)
                > 0,
            "{service}"
        );
        assert!(scrape.value("db_client_connection_wait_seconds_count") > 0.0, "{service}");
        assert!(scrape.value("tokio_workers") > 0.0, "{service}");
        assert!(scrape.value("tokio_worker_busy_seconds_total") > 0.0, "{service}");
        assert!(scrape.value(r#"worker_steps_total{outcome="done",worker="outbox-relay"}"#) > 0.0, "{service}");
    }
}

/// Calls each documented endpoint with unknown ids, and unknown paths and methods.
async fn call_everything(fleet: &Fleet, person: &ApiClient, service: &str, seed: usize) {
    let person = person.at(&fleet.run.services[service]);
    let document = person.get("/docs/openapi.json").await.json(200);
    for (path, operations) in document["paths"].as_object().unwrap() {
        let id = uuid::Uuid::now_v7().to_string();
        let path: String = path
            .split('/')
            .map(|part| if part.starts_with('{') { format!("/{id}") } else { format!("/{part}") })
            .collect();
        for method in operations.as_object().unwrap().keys() {
            let method = method.to_uppercase().parse().unwrap();
            let _ = person.request(method, &path[1..]).json(&json!({})).send().await.unwrap();
        }
    }
    for number in 0..20 {
        let path = format!("/api/nothing/{seed}/{number}");
        let method = reqwest::Method::from_bytes(format!("MADE{seed}UP{number}").as_bytes()).unwrap();
        let _ = person.request(method, &path).send().await.unwrap();
        let _ = person.get(&path).await.json(404);
    }
}

async fn traffic_creates_no_new_series(deployment: Deployment) {
    let Some(fleet) = deploy(deployment).await else { return };
    let visitor = fleet.visitor();
    let round = async |seed: usize| {
        play(&fleet).await;
        for (_, service) in SERVICES {
            call_everything(&fleet, &visitor, service, seed).await;
        }
    };
    round(0).await;
    let mut before = Vec::new();
    for (_, service) in SERVICES {
        before.push(Scrape::of(&fleet, service).await);
    }
    for seed in 1..4 {
        round(seed).await;
    }
    for ((_, service), before) in SERVICES.iter().zip(&before) {
        let after = Scrape::of(&fleet, service).await;
        assert!(after.size() < MOST_SERIES, "{service} has {} series", after.size());
        // Occasional differences, such as a retried call, do not depend on the ids.
        let new = after.new_since(before);
        assert!(new.len() < 120, "{service} has {} new series: {new:#?}", new.len());
        assert!(after.value(r#"http_server_request_duration_seconds_count{http_request_method="_OTHER",http_response_status_code="404",http_route="unmatched"}"#) >= 80.0);
    }
}

/// Returns the documented rows: name, type, labels, services.
fn listed() -> Vec<(String, String, BTreeSet<String>, Vec<&'static str>)> {
    let rows = include_str!("../../docs/telemetry.md").lines().filter(|line| line.starts_with("| `"));
    let rows = rows.map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
    let metrics = rows.filter(|cells| matches!(cells[2], "counter" | "gauge" | "histogram"));
    let row = |cells: Vec<&str>| {
        let labels = cells[3].split('`').skip(1).step_by(2).map(str::to_owned).collect();
        let of = SERVICES.iter().filter(|(letter, _)| cells[4].split(' ').any(|one| one == *letter));
        (cells[1].trim_matches('`').to_owned(), cells[2].to_owned(), labels, of.map(|(_, name)| *name).collect())
    };
    metrics.map(row).collect()
}

async fn metrics_document_lists_all_metrics(deployment: Deployment) {
    let Some(fleet) = deploy(deployment).await else { return };
    play(&fleet).await;
    let listed = listed();
    assert!(listed.len() > 40, "only {} metrics are listed", listed.len());
    for (_, service) in SERVICES {
        let scrape = Scrape::of(&fleet, service).await;
        let own: Vec<_> = listed.iter().filter(|(.., of)| of.contains(&service)).collect();
        for (name, kind, labels, _) in &own {
            assert_eq!(scrape.types.get(name), Some(kind), "{name} of the {service}");
            let labels: BTreeSet<_> = labels.iter().map(String::as_str).collect();
            assert_eq!(scrape.labels(name), labels, "{name} of the {service}");
        }
        let unlisted = scrape.types.keys().filter(|name| !own.iter().any(|(listed, ..)| listed == *name));
        assert_eq!(unlisted.collect::<Vec<_>>(), [""; 0], "metrics of the {service} that the page does not list");
    }
}

fleet_tests!(embedded = Embedded: business_events_are_counted, traffic_creates_no_new_series, metrics_document_lists_all_metrics);
fleet_tests!(on_servers = Servers: business_events_are_counted, metrics_document_lists_all_metrics);
