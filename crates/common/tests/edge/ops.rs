use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use common::auth::keys::{SigningKey, generate_pem};
use common::auth::{AUDIENCE, Claims, Jwks, Role, TokenVerifier};
use common::database::outbox::{Outbox, OutboxRow, OutboxStore};
use common::database::store::StoreError;
use common::fault::Faults;
use common::http::{Health, ops};
use common::messaging::bus::{Bus, Message};
use common::telemetry::clock::{Clock, SystemClock, system};
use common::telemetry::metrics::Metrics;
use contracts::EventId;
use contracts::api::OutboxState;
use contracts::topology::PRODUCT_ORDERS;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::support::{finished, get, get_with, settings};

/// An outbox in which three events wait, or one that is away.
struct Waiting(bool);

#[async_trait]
impl OutboxStore for Waiting {
    async fn claim(&self, _: u32, _: Duration, _: DateTime<Utc>) -> Result<Vec<OutboxRow>, StoreError> {
        Ok(Vec::new())
    }

    async fn mark_published(&self, _: &[EventId]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn mark_failed(&self, _: &[EventId], _: DateTime<Utc>) -> Result<(), StoreError> {
        Ok(())
    }

    async fn state(&self, _: DateTime<Utc>) -> Result<OutboxState, StoreError> {
        let state = OutboxState { pending: 3, oldest_seconds: 7 };
        if self.0 { Ok(state) } else { Err(StoreError::Unavailable("disk is gone".into())) }
    }

    async fn forget_handled(&self, _: DateTime<Utc>) -> Result<(), StoreError> {
        Ok(())
    }
}

async fn bus(directory: &tempfile::TempDir) -> Bus {
    let url = format!("sqlite://{}", directory.path().join("bus.db").display()).parse().unwrap();
    Bus::connect(&url, &Metrics::new(), system()).await.unwrap()
}

fn token(key: &SigningKey, role: Role, subject: &str) -> String {
    let now = SystemClock.now().timestamp();
    let claims = Claims {
        iss: "shopfleet".to_owned(),
        aud: AUDIENCE.to_owned(),
        sub: subject.to_owned(),
        user_id: None,
        sid: None,
        av: None,
        scope: None,
        email: None,
        ev: None,
        role,
        iat: now,
        exp: now + 900,
        jti: "1".to_owned(),
    };
    format!("Bearer {}", key.sign(&claims))
}

#[tokio::test]
async fn admin_sees_pending_events() {
    let key = SigningKey::from_pem(&generate_pem()).unwrap();
    let verifier = TokenVerifier::local(&Jwks { keys: vec![key.jwk().clone()] }, "shopfleet", system());
    let directory = tempfile::tempdir().unwrap();
    let bus = bus(&directory).await;
    let app = |there| {
        let outbox = Outbox::new(Arc::new(Waiting(there)), Arc::default());
        let router = ops::router(outbox, bus.clone(), &[], verifier.clone(), system(), Faults::off());
        finished(router, &settings(), Health::new())
    };
    let person = contracts::UserId::generate(SystemClock.now()).to_string();
    for (role, subject) in [(Role::Admin, person.as_str()), (Role::Service, "product-service")] {
        let answer = get_with(&app(true), "/ops/outbox", &[("authorization", &token(&key, role, subject))]).await;
        assert_eq!(answer.json(), json!({"pending": 3, "oldest_seconds": 7}));
    }
    let user = token(&key, Role::User, &person);
    get_with(&app(true), "/ops/outbox", &[("authorization", &user)]).await.refused(403, "FORBIDDEN");
    get(&app(true), "/ops/outbox").await.refused(401, "UNAUTHENTICATED");
    let admin = token(&key, Role::Admin, &person);
    get_with(&app(false), "/ops/outbox", &[("authorization", &admin)]).await.refused(503, "SERVICE_UNAVAILABLE");
}

#[tokio::test]
async fn admin_lists_redrives_and_deletes_dead_letters() {
    let key = SigningKey::from_pem(&generate_pem()).unwrap();
    let verifier = TokenVerifier::local(&Jwks { keys: vec![key.jwk().clone()] }, "shopfleet", system());
    let directory = tempfile::tempdir().unwrap();
    let bus = bus(&directory).await;
    let now = SystemClock.now();
    let message = Message {
        id: EventId::generate(now),
        event_type: "order.updated".to_owned(),
        exchange: "order.events".to_owned(),
        body: Bytes::from_static(b"{\"any\": 1}"),
        app_id: "order-service".to_owned(),
        timestamp: now,
        traceparent: None,
        mandatory: true,
    };
    bus.publish(std::slice::from_ref(&message)).await.unwrap();
    let mut queue = bus.subscribe(PRODUCT_ORDERS.name, 1).await.unwrap();
    queue.next().await.unwrap().dead_letter("hopeless").await.unwrap();

    let outbox = Outbox::new(Arc::new(Waiting(true)), Arc::default());
    let router = ops::router(outbox, bus.clone(), &[PRODUCT_ORDERS], verifier, system(), Faults::off());
    let app = finished(router, &settings(), Health::new());
    let admin = token(&key, Role::Admin, &contracts::UserId::generate(now).to_string());
    let service = token(&key, Role::Service, "product-service");
    get_with(&app, "/ops/dead-letters", &[("authorization", &service)]).await.refused(403, "FORBIDDEN");
    let letters = get_with(&app, "/ops/dead-letters", &[("authorization", &admin)]).await.json();
    let letter = &letters[0];
    let id = message.id.to_string();
    for (field, value) in
        [("id", id.as_str()), ("queue", PRODUCT_ORDERS.name), ("event", "order.updated"), ("reason", "hopeless")]
    {
        assert_eq!(letter[field], value, "{letters}");
    }
    assert_eq!((&letter["attempts"], &letter["message"]), (&json!(1), &json!({"any": 1})));

    let call = |method: &'static str, path: String| {
        let (app, admin) = (app.clone(), admin.clone());
        async move {
            let request = http::Request::builder().method(method).uri(path).header("host", "localhost");
            let request = request.header("authorization", admin);
            let answer = app.oneshot(request.body(axum::body::Body::empty()).unwrap()).await.unwrap();
            answer.status().as_u16()
        }
    };
    assert_eq!(call("POST", format!("/ops/dead-letters/{id}/redrive")).await, 204);
    assert_eq!(call("POST", format!("/ops/dead-letters/{id}/redrive")).await, 404);
    let again = queue.next().await.unwrap();
    assert_eq!((again.message.id, again.attempts), (message.id, 0));
    again.dead_letter("hopeless again").await.unwrap();
    assert_eq!(call("DELETE", format!("/ops/dead-letters/{id}")).await, 204);
    assert_eq!(call("DELETE", format!("/ops/dead-letters/{id}")).await, 404);
    let none = get_with(&app, "/ops/dead-letters", &[("authorization", &admin)]).await.json();
    assert_eq!(none, json!([]));
}

#[tokio::test]
async fn admin_activates_and_deactivates_faults_if_enabled() {
    let key = SigningKey::from_pem(&generate_pem()).unwrap();
    let verifier = TokenVerifier::local(&Jwks { keys: vec![key.jwk().clone()] }, "shopfleet", system());
    let directory = tempfile::tempdir().unwrap();
    let bus = bus(&directory).await;
    let app = |faults: Faults| {
        let outbox = Outbox::new(Arc::new(Waiting(true)), Arc::default());
        let router = ops::router(outbox, bus.clone(), &[], verifier.clone(), system(), faults.clone());
        let settings = common::http::HttpSettings { faults, ..settings() };
        finished(router, &settings, Health::new())
    };
    let person = contracts::UserId::generate(SystemClock.now()).to_string();
    let (admin, user) = (token(&key, Role::Admin, &person), token(&key, Role::User, &person));
    let service = token(&key, Role::Service, "product-service");
    let call = async |app: &axum::Router, method: &str, path: &str, token: &str, body: Value| {
        let request = http::Request::builder().method(method).uri(path).header("authorization", token);
        let request = request.header("content-type", "application/json").body(body.to_string().into()).unwrap();
        crate::support::send(app, request).await
    };

    let on = app(Faults::on("order-service"));
    let path = "/ops/faults/http-errors";
    for token in [&user, &service] {
        call(&on, "PUT", path, token, json!({})).await.refused(403, "FORBIDDEN");
        call(&on, "DELETE", path, token, json!({})).await.refused(403, "FORBIDDEN");
        call(&on, "GET", "/ops/faults", token, json!({})).await.refused(403, "FORBIDDEN");
    }
    let bad = call(&on, "PUT", path, &admin, json!({"rate": 1.5, "delay_ms": 60_001})).await;
    let refusal = bad.refused(400, "VALIDATION_FAILED");
    assert_eq!(refusal["errors"].as_array().unwrap().len(), 2, "{refusal}");
    call(&on, "PUT", "/ops/faults/earthquake", &admin, json!({})).await.refused(404, "NOT_FOUND");
    call(&on, "DELETE", "/ops/faults/earthquake", &admin, json!({})).await.refused(404, "NOT_FOUND");

    let set = call(&on, "PUT", path, &admin, json!({"rate": 1})).await.json();
    assert_eq!((&set["name"], &set["strength"]["rate"]), (&json!("http-errors"), &json!(1.0)));
    // What operators ask passes, so that it can be taken out again.
    let listed = call(&on, "GET", "/ops/faults", &admin, json!({})).await.json();
    let shown = listed.as_array().unwrap().iter().find(|fault| fault["name"] == "http-errors").unwrap();
    assert_eq!(shown["strength"]["rate"], 1.0);
    assert_eq!(call(&on, "DELETE", path, &admin, json!({})).await.status, 204);
    assert_eq!(call(&on, "DELETE", path, &admin, json!({})).await.status, 204);

    let off = app(Faults::off());
    let refusal = call(&off, "PUT", path, &admin, json!({})).await.refused(403, "FORBIDDEN");
    assert!(refusal["detail"].as_str().unwrap().contains("FAULTS=on"), "{refusal}");
}
