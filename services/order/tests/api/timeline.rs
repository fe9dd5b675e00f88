//! `GET /api/orders/{id}/timeline`

use std::time::Duration;

use common::http::RequestPlace;
use contracts::api::PaymentStatus as Status;
use contracts::event::{ReservationChanged, UserAccessRevoked};
use contracts::{Event, UserId};
use reqwest::Client;
use serde_json::{Value, json};
use testkit::{ApiResponse, ResponseExt as _, eventually};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::support::{TIMEOUT, TestApp, UNKNOWN, id, path};

/// Number of requests that can wait at once.
const PLACES: usize = 512;

impl TestApp {
    /// Reads a timeline in the background, and returns once the request waits.
    async fn waiting(&self, order: &Value, after: i64, token: &str) -> JoinHandle<ApiResponse> {
        let url = format!("{}{}/timeline?after={after}&wait=8", self.url(), path(order));
        let free = self.long_polls.free_places();
        let (client, token) = (Client::clone(self.client()), token.to_owned());
        let waiting = tokio::spawn(async move { ApiResponse::of(client.get(url).bearer_auth(token)).await.unwrap() });
        let is_waiting = || async { (self.long_polls.free_places() < free).then_some(()) };
        eventually("the request waits", TIMEOUT, is_waiting).await;
        waiting
    }

    async fn cancel(&self, order: &Value, token: &str) {
        self.post(&format!("{}/cancel", path(order)), token, json!({})).await.json(200);
    }
}

fn reservation_change(order: &Value) -> ReservationChanged {
    ReservationChanged { order_id: id(order), items: Vec::new() }
}

async fn timeline(app: &TestApp, order: &Value) -> Vec<Value> {
    let entries = app.get(&format!("{}/timeline", path(order)), &app.admin()).await.json(200);
    entries.as_array().unwrap().clone()
}

#[tokio::test]
async fn events_of_an_order_are_listed_in_order() {
    let app = TestApp::start().await;
    let (user, order) = app.placed().await;
    let payment = app.payment_id();
    app.advance(1);
    app.publish(&[Event::PaymentCreated(app.changed(&order, payment, 1, Status::Pending))]).await;
    app.until(&order, "the payment is known", |order| order["payments"][0]["status"] == "pending").await;
    app.advance(1);
    app.publish(&[Event::PaymentCompleted(app.changed(&order, payment, 2, Status::Completed))]).await;
    app.until(&order, "the order is paid", |order| order["payment_status"] == "completed").await;
    app.advance(1);
    app.post(&format!("{}/cancel", path(&order)), &app.token(user), json!({"reason": "too late"})).await.json(200);

    let entries = timeline(&app, &order).await;
    let kinds: Vec<_> = entries.iter().map(|entry| entry["type"].as_str().unwrap()).collect();
    let expected = ["order.created", "payment.created", "payment.completed", "order.updated", "order.cancelled"];
    assert_eq!(kinds, expected, "{entries:#?}");
    let services: Vec<_> = entries.iter().map(|entry| entry["service"].as_str().unwrap()).collect();
    assert_eq!(services, ["order-service", "test", "test", "order-service", "order-service"]);
    let numbers: Vec<_> = entries.iter().map(|entry| entry["seq"].as_i64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    let customer = json!({"type": "customer", "id": user});
    let system = json!({"type": "system", "id": null});
    let actors: Vec<_> = entries.iter().map(|entry| &entry["actor"]).collect();
    assert_eq!(actors, [&customer, &system, &system, &system, &customer]);
    for entry in &entries {
        assert!(!entry["summary"].as_str().unwrap().is_empty());
        assert!(entry["event_id"].is_string() && entry["at"].is_string(), "{entry}");
        assert_eq!(entry["data"]["order_id"], order["id"]);
    }
    assert!(entries[4]["summary"].as_str().unwrap().contains("too late"));
}

#[tokio::test]
async fn stock_events_are_listed() {
    let app = TestApp::start().await;
    let (_, order) = app.placed().await;
    app.publish(&[Event::StockReserved(reservation_change(&order)), Event::StockCommitted(reservation_change(&order))])
        .await;
    let entries = eventually("both events are consumed", TIMEOUT, || async {
        Some(timeline(&app, &order).await).filter(|entries| entries.len() == 3)
    })
    .await;
    let stock_entries: Vec<_> = entries.iter().filter(|entry| entry["service"] == "test").collect();
    assert_eq!(stock_entries.len(), 2, "{entries:#?}");
}

#[tokio::test]
async fn timeline_of_another_customer_is_not_found() {
    let app = TestApp::start().await;
    let (user, order) = app.placed().await;
    let own = app.get(&format!("{}/timeline", path(&order)), &app.token(user)).await.json(200);
    assert_eq!(own[0]["type"], "order.created");
    let stranger = app.token(app.user());
    app.get(&format!("{}/timeline", path(&order)), &stranger).await.problem(404, "ORDER_NOT_FOUND");
}

#[tokio::test]
async fn entries_name_the_caller_that_caused_them() {
    let app = TestApp::start().await;
    let (_, order) = app.placed_in("confirmed").await;
    app.put(&path(&order), &app.service(), json!({"status": "processing"})).await.json(200);
    let (_, unpaid) = app.placed().await;
    app.advance(60);
    app.run_deadline_worker().await;
    let kinds = async |order: &Value| {
        let entries = timeline(&app, order).await;
        entries.iter().map(|entry| entry["actor"]["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&order).await[..3], ["customer", "admin", "service"]);
    assert_eq!(kinds(&unpaid).await, ["customer", "system"]);
    let by_admin = app.post("/api/orders", &app.admin(), TestApp::form(app.user())).await.json(201);
    assert_eq!(kinds(&by_admin).await, ["admin"]);
}

#[tokio::test]
async fn only_entries_after_a_number_are_returned() {
    let app = TestApp::start().await;
    let (user, order) = app.placed_in("confirmed").await;
    let after = async |after: i64| {
        let path = format!("{}/timeline?after={after}", path(&order));
        let entries = app.get(&path, &app.token(user)).await.json(200);
        entries.as_array().unwrap().iter().map(|entry| entry["seq"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(after(0).await, [1, 2]);
    assert_eq!(after(1).await, [2]);
    assert_eq!(after(2).await, [0_i64; 0]);
    assert_eq!(after(i64::MAX).await, [0_i64; 0]);
}

#[tokio::test]
async fn waiting_read_returns_with_the_next_entry() {
    let app = TestApp::start().await;
    let (user, order) = app.placed().await;
    let path = format!("{}/timeline?after=0&wait=8", path(&order));
    assert_eq!(app.get(&path, &app.token(user)).await.json(200).as_array().unwrap().len(), 1, "nothing to wait for");
    let waiting = app.waiting(&order, 1, &app.token(user)).await;
    app.cancel(&order, &app.admin()).await;
    let entries = waiting.await.unwrap().json(200);
    assert_eq!((entries[0]["seq"].as_i64(), &entries[0]["type"]), (Some(2), &json!("order.cancelled")));

    // So does an entry of a consumed event.
    let waiting = app.waiting(&order, 2, &app.token(user)).await;
    app.publish(&[Event::StockReleased(reservation_change(&order))]).await;
    assert_eq!(waiting.await.unwrap().json(200)[0]["type"], "product.stock_released");
    assert_eq!(app.long_polls.free_places(), PLACES);
}

#[tokio::test]
async fn waiting_read_returns_nothing_once_its_time_is_over() {
    let app = TestApp::start().await;
    let (user, order) = app.placed().await;
    let started = Instant::now();
    let response = app.get(&format!("{}/timeline?after=1&wait=1", path(&order)), &app.token(user)).await;
    assert_eq!(response.json(200), json!([]));
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test]
async fn invalid_numbers_and_times_are_rejected() {
    let app = TestApp::start().await;
    let (user, order) = app.placed().await;
    for (query, fields) in [
        ("after=-1", &["after"][..]),
        ("after=x", &["after"]),
        ("after=1.5", &["after"]),
        ("wait=9", &["wait"]),
        ("wait=-1", &["wait"]),
        ("wait=soon", &["wait"]),
        ("after=1&after=2", &["after"]),
        ("after=-1&wait=9", &["after", "wait"]),
    ] {
        app.get(&format!("{}/timeline?{query}", path(&order)), &app.token(user)).await.invalid(400, fields);
    }
    assert_eq!(app.get(&format!("{}/timeline?wait=0&after=", path(&order)), &app.token(user)).await.status, 200);
}

#[tokio::test]
async fn waiting_read_of_an_unknown_or_foreign_order_is_not_found_at_once() {
    let app = TestApp::start().await;
    let (_, order) = app.placed().await;
    let stranger = app.token(app.user());
    for path in [path(&order), format!("/api/orders/{UNKNOWN}")] {
        app.get(&format!("{path}/timeline?after=1&wait=8"), &stranger).await.problem(404, "ORDER_NOT_FOUND");
    }
    let path = format!("{}/timeline?wait=8", path(&order));
    app.send(reqwest::Method::GET, &path, None, None).await.problem(401, "UNAUTHENTICATED");
    assert_eq!(app.long_polls.free_places(), PLACES, "none of them waited");
}

#[tokio::test]
async fn excess_waiting_read_is_rejected() {
    let app = TestApp::start().await;
    let (user, order) = app.placed().await;
    let mut waiting: Vec<_> = (0..PLACES).map(|_| app.long_polls.begin(&RequestPlace::default()).unwrap()).collect();
    let path = format!("{}/timeline", path(&order));
    let rejected = app.get(&format!("{path}?after=1&wait=8"), &app.token(user)).await;
    assert_eq!(rejected.headers["retry-after"], "1");
    rejected.problem(503, "SERVICE_UNAVAILABLE");
    // Reads that need not wait are served.
    assert_eq!(app.get(&format!("{path}?after=0&wait=8"), &app.token(user)).await.status, 200);
    assert_eq!(app.get(&format!("{path}?after=1"), &app.token(user)).await.status, 200);
    waiting.pop();
    let waiting = app.waiting(&order, 1, &app.token(user)).await;
    app.cancel(&order, &app.admin()).await;
    assert_eq!(waiting.await.unwrap().status, 200);
}

#[tokio::test]
async fn shutdown_ends_waiting_reads() {
    let app = TestApp::start().await;
    let (user, order) = app.placed().await;
    let started = Instant::now();
    let waiting = app.waiting(&order, 1, &app.token(user)).await;
    app.stop().await;
    assert_eq!(waiting.await.unwrap().json(200), json!([]));
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
}

#[tokio::test]
async fn access_that_ends_while_its_caller_waits_is_noticed() {
    let app = TestApp::start().await;
    let (user, order) = app.placed().await;
    let token = app.token(user);
    let waiting = app.waiting(&order, 1, &token).await;
    app.publish(&[revoked(user)]).await;
    eventually("the access has ended", TIMEOUT, || async {
        (app.get(&path(&order), &token).await.status == 401).then_some(())
    })
    .await;
    app.cancel(&order, &app.admin()).await;
    waiting.await.unwrap().problem(401, "UNAUTHENTICATED");
}

fn revoked(user: UserId) -> Event {
    let (reason, session_ids) = ("password_changed".to_owned(), Vec::new());
    Event::UserAccessRevoked(UserAccessRevoked { user_id: user, min_version: Some(1), session_ids, reason })
}
