//! Duplicate, late and reordered events and webhooks.

use std::time::Duration;

use chrono::Utc;
use common::messaging::bus::{Bus, BusUrl, Message};
use common::telemetry::clock;
use common::telemetry::metrics::Metrics;
use contracts::api::OrderStatus;
use contracts::event::{OrderCancelled, OrderUpdated};
use contracts::{Event, OrderId};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use testkit::bus::event_message;
use testkit::fleet::{ApiClient, ClientExt as _, Deployment, Fleet, ResponseExt as _, deploy, until};
use testkit::fleet_tests;

/// Connects to the bus of a running fleet.
async fn bus(fleet: &Fleet) -> Bus {
    let url: BusUrl = fleet.bus().parse().unwrap();
    Bus::connect(&url, &Metrics::new(), clock::system()).await.unwrap()
}

fn now() -> chrono::DateTime<Utc> {
    clock::system().now()
}

fn message(event: &Event) -> Message {
    event_message(event, "order-service", now())
}

fn order_id(order: &Value) -> OrderId {
    order["id"].as_str().unwrap().parse().unwrap()
}

async fn until_reservation(fleet: &Fleet, order: &Value, status: &str) {
    let service = fleet.service().await.unwrap().at(&fleet.run.services["product-service"]);
    let path = format!("/api/products/reservations/{}", order["id"].as_str().unwrap());
    until(&format!("a reservation {status}"), || async {
        (service.get(&path).await.json(200)["status"] == status).then_some(())
    })
    .await;
}

async fn paid(fleet: &Fleet, person: &ApiClient) -> (Value, Value) {
    let order = person.place(&[(1, 2)]).await;
    let payment = person.pay(&order).await;
    let _ = fleet.charge(&payment, "pm_card_visa").await.json(200);
    person.until_order(&order, "confirmed", "completed").await;
    (order, payment)
}

/// Publishes a last event and waits for its effect, so that all earlier ones have been handled.
async fn settle(fleet: &Fleet, person: &ApiClient, bus: &Bus) {
    let before = person.stock(3).await;
    let order = person.place(&[(3, 1)]).await;
    let cancelled = Event::OrderCancelled(OrderCancelled {
        order_id: order_id(&order),
        reason: None,
        items: Vec::new(),
        timestamp: now(),
    });
    bus.publish(&[message(&cancelled)]).await.unwrap();
    until_reservation(fleet, &order, "released").await;
    person.until_stock(3, before).await;
}

async fn duplicate_cancellation_releases_stock_once(deployment: Deployment) {
    let Some(fleet) = deploy(deployment).await else { return };
    let (person, bus) = (fleet.customer().await.unwrap(), bus(&fleet).await);
    let before = person.stock(1).await;
    let order = person.place(&[(1, 2)]).await;
    let cancelled = Event::OrderCancelled(OrderCancelled {
        order_id: order_id(&order),
        reason: None,
        items: Vec::new(),
        timestamp: now(),
    });
    let same = message(&cancelled);
    bus.publish(&[same.clone(), same, message(&cancelled)]).await.unwrap();
    until_reservation(&fleet, &order, "released").await;
    settle(&fleet, &person, &bus).await;
    assert_eq!(person.stock(1).await, before);
}

async fn confirmation_after_cancellation_sells_nothing(deployment: Deployment) {
    let Some(fleet) = deploy(deployment).await else { return };
    let (person, bus) = (fleet.customer().await.unwrap(), bus(&fleet).await);
    let before = person.stock(1).await;
    let order = person.place(&[(1, 2)]).await;
    let path = format!("/api/orders/{}/cancel", order["id"].as_str().unwrap());
    let _ = person.request(reqwest::Method::POST, &path).send().await.unwrap();
    until_reservation(&fleet, &order, "released").await;
    let confirmed = Event::OrderUpdated(OrderUpdated {
        order_id: order_id(&order),
        status: OrderStatus::Confirmed,
        timestamp: now(),
    });
    bus.publish(&[message(&confirmed)]).await.unwrap();
    settle(&fleet, &person, &bus).await;
    until_reservation(&fleet, &order, "released").await;
    assert_eq!(person.stock(1).await, before);
}

async fn repeated_webhook_changes_nothing(deployment: Deployment) {
    let Some(fleet) = deploy(deployment).await else { return };
    let person = fleet.customer().await.unwrap();
    let (order, payment) = paid(&fleet, &person).await;
    let credentials = fleet.credentials().unwrap();
    let key = credentials["stripe"]["secret_key"].as_str().unwrap();
    let secret = credentials["stripe"]["webhook_secret"].as_str().unwrap();

    let client = reqwest::Client::new();
    let events = client.get(format!("{}/v1/events", fleet.run.stripe)).bearer_auth(key).send().await.unwrap();
    let events: Value = events.json().await.unwrap();
    let succeeded = events["data"].as_array().unwrap().iter().find(|event| event["type"] == "payment_intent.succeeded");
    let body = succeeded.unwrap().to_string();
    let send = async |signature: String| {
        let url = fleet.gateway("/api/webhooks/stripe");
        client.post(url).header("Stripe-Signature", signature).body(body.clone()).send().await.unwrap().status()
    };
    for _ in 0..3 {
        assert_eq!(send(sign(secret, now().timestamp(), &body)).await, 200);
    }
    assert_eq!(send(sign("whsec_another", now().timestamp(), &body)).await, 400);
    let old = now().timestamp() - i64::try_from(Duration::from_secs(301).as_secs()).unwrap();
    assert_eq!(send(sign(secret, old, &body)).await, 400);

    let again = person.get(&format!("/api/payments/{}", payment["payment"]["id"].as_str().unwrap())).await.json(200);
    assert_eq!((again["status"].as_str(), &again["refunds"]), (Some("completed"), &json!([])));
    assert_eq!(person.order(&order).await["payments"].as_array().unwrap().len(), 1);
}

/// Signs a webhook as Stripe does: <https://docs.stripe.com/webhooks#verify-manually>.
fn sign(secret: &str, at: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{at}.{body}").as_bytes());
    let signature: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={at},v1={signature}")
}

fleet_tests!(
    duplicate_cancellation_releases_stock_once,
    confirmation_after_cancellation_sells_nothing,
    repeated_webhook_changes_nothing,
);
