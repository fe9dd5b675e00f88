//! Privacy: no personal data and no secrets in logs, spans, or events other than documented. A customer with marked values
//! uses every feature, and the marks are searched for.

use std::sync::Arc;

use common::messaging::bus::{AmqpBus, BusBackend, BusUrl, SqliteBus};
use common::telemetry::clock;
use contracts::EventType;
use contracts::topology::{EXCHANGES, Queue};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::fleet::{ApiResponse, ClientExt as _, Deployment, Fleet, ResponseExt as _, deploy_with, until};
use testkit::fleet_tests;
use testkit::servers::{Jaeger, available};

/// Log filter: own crates at `debug`.
const LOUD: &str = "info,access=info,common=debug,gateway=debug,stripe_sandbox=debug,shopfleet=debug,user_service=debug,\
                    product_service=debug,order_service=debug,payment_service=debug";
const SPY: &str = "spy";
const SERVICES: [&str; 6] =
    ["gateway", "user-service", "product-service", "order-service", "payment-service", "stripe-sandbox"];

/// Marked values of a customer.
mod mark {
    pub(super) const FIRST: &str = "Qzfirstname";
    pub(super) const LAST: &str = "Qzlastname";
    pub(super) const EMAIL: &str = "qzmailbox@example.com";
    pub(super) const WRONG_EMAIL: &str = "qznotanaddress";
    pub(super) const PASSWORD: &str = "qzpassword-one";
    pub(super) const WRONG_PASSWORD: &str = "qzpassword-wrong";
    pub(super) const NEW_PASSWORD: &str = "qzpassword-two";
    pub(super) const PHONE: &str = "+15550199734";
    pub(super) const BIRTH: &str = "1971-03-29";
    pub(super) const STREET: &str = "Qzstreet 4711";
    pub(super) const CITY: &str = "Qzcity";
    pub(super) const ZIP: &str = "QZ90817";
    pub(super) const NOTES: &str = "qznotes to the porter";
    pub(super) const REASON: &str = "qzreason of mine";
    pub(super) const KEY: &str = "qzidempotency-key";
    pub(super) const DESCRIPTION: &str = "qzdescription";
    pub(super) const CARD: &str = "pm_card_visa";
    pub(super) const SEARCH: &str = "qzsearch";
    pub(super) const LOST: &str = "qzlostpath";
    pub(super) const BROKEN: &str = "qzbrokenbody";
    /// Marks that `user.created` contains by contract.
    pub(super) const CREATED: [&str; 3] = [FIRST, LAST, EMAIL];
    pub(super) const ALL: [&str; 20] = [
        FIRST,
        LAST,
        EMAIL,
        WRONG_EMAIL,
        PASSWORD,
        WRONG_PASSWORD,
        NEW_PASSWORD,
        PHONE,
        BIRTH,
        STREET,
        CITY,
        ZIP,
        NOTES,
        REASON,
        KEY,
        DESCRIPTION,
        CARD,
        SEARCH,
        LOST,
        BROKEN,
    ];
}

/// Plays the customer and returns the issued secrets.
async fn play(fleet: &Fleet) -> Vec<String> {
    let mut person = fleet.visitor();
    let address = json!({
        "street": mark::STREET, "city": mark::CITY, "state": mark::CITY, "zipCode": mark::ZIP, "country": mark::CITY,
    });
    let form = json!({
        "firstName": mark::FIRST, "lastName": mark::LAST, "email": mark::EMAIL, "password": mark::PASSWORD,
        "phoneNumber": mark::PHONE, "dateOfBirth": mark::BIRTH, "address": address,
    });
    let mut wrong = form.clone();
    wrong["email"] = json!(mark::WRONG_EMAIL);
    let _ = person.post("/api/auth/register", &wrong).await.problem(400, "VALIDATION_FAILED");
    let registered = person.post("/api/auth/register", &form).await.json(201);
    let _ = person.post("/api/auth/register", &form).await.problem(409, "USER_EXISTS");
    let login = json!({"email": mark::EMAIL, "password": mark::WRONG_PASSWORD});
    let _ = person.post("/api/auth/login", &login).await.json(401);
    let login = json!({"email": mark::EMAIL, "password": mark::PASSWORD});
    let response = person.post("/api/auth/login", &login).await.json(200);
    person.sign_in(&response);
    let mut secrets = vec![text(&registered["token"]), text(&registered["refreshToken"]), text(&response["token"])];
    let refresh = json!({"refreshToken": registered["refreshToken"]});
    let refreshed = person.post("/api/auth/refresh", &refresh).await.json(200);
    secrets.extend([text(&refreshed["token"]), text(&refreshed["refreshToken"])]);
    let path = format!("/api/users/{}", person.id);
    let _ = person.put(&path, &json!({"phoneNumber": mark::PHONE, "address": address})).await.json(200);
    let passwords = json!({"currentPassword": mark::WRONG_PASSWORD, "newPassword": mark::NEW_PASSWORD});
    let _ = person.put(&format!("{path}/password"), &passwords).await;

    let _ = person.get(&format!("/api/products?search={}", mark::SEARCH)).await.json(200);
    let _ = person.get(&format!("/api/{}?email={}", mark::LOST, mark::EMAIL)).await.json(404);
    let _ = person.get(&format!("/api/products/{}", mark::LOST)).await;
    let _ = person.get(&format!("/api/orders/{}", mark::LOST)).await;
    let broken = person.request(Method::POST, "/api/orders").header("content-type", "application/json");
    let _ = ApiResponse::of(broken.body(format!("{{\"notes\": \"{}", mark::BROKEN))).await.unwrap();

    let mut form = person.order_form(&[(1, 1)]);
    form["notes"] = json!(mark::NOTES);
    form["metadata"] = json!({"note": mark::NOTES});
    form["customer_info"] =
        json!({"first_name": mark::FIRST, "last_name": mark::LAST, "email": mark::EMAIL, "phone": mark::PHONE});
    form["shipping_address"]["street"] = json!(mark::STREET);
    form["shipping_address"]["postal_code"] = json!(mark::ZIP);
    let mut wrong = form.clone();
    wrong["customer_info"]["email"] = json!(mark::WRONG_EMAIL);
    let _ = person.post("/api/orders", &wrong).await;
    for _ in 0..2 {
        let placing = person.request(Method::POST, "/api/orders").header("idempotency-key", mark::KEY).json(&form);
        let _ = ApiResponse::of(placing).await.json(201);
    }
    let order = person.post("/api/orders", &form).await.json(201);
    let form = json!({
        "order_id": order["id"], "user_id": order["user_id"], "amount": order["total_amount"], "method": "card",
        "provider": "stripe", "description": mark::DESCRIPTION, "metadata": {"note": mark::NOTES},
    });
    let declined = person.post("/api/payments", &form).await.json(201);
    let _ = fleet.charge(&declined, "pm_card_chargeDeclined").await.json(402);
    person.until_payment(&declined, "failed").await;
    let payment = person.post("/api/payments", &form).await.json(201);
    let _ = fleet.charge(&payment, mark::CARD).await.json(200);
    secrets.extend([text(&declined["client_secret"]), text(&payment["client_secret"])]);
    person.until_order(&order, "confirmed", "completed").await;
    let path = format!("/api/orders/{}/cancel", text(&order["id"]));
    let _ = person.post(&path, &json!({"reason": mark::REASON})).await.json(200);
    person.until_order(&order, "cancelled", "refunded").await;
    let deletion = person.request(Method::DELETE, &format!("/api/users/{}", person.id));
    let _ = ApiResponse::of(deletion.json(&json!({"currentPassword": mark::PASSWORD}))).await.json(204);
    let credentials = fleet.credentials().unwrap();
    for (part, name) in [
        ("admin", "password"),
        ("client", "secret"),
        ("stripe", "secret_key"),
        ("stripe", "publishable_key"),
        ("stripe", "webhook_secret"),
    ] {
        secrets.push(text(&credentials[part][name]));
    }
    let admin = fleet.admin().await.unwrap();
    let _ = admin.get("/api/users?limit=5").await.json(200);
    secrets
}

fn text(value: &Value) -> String {
    let text = value.as_str().unwrap_or_else(|| panic!("{value} is no text"));
    assert!(text.len() > 5, "{text} is too short to be looked for");
    text.to_owned()
}

/// Binds a queue of the test to every event.
async fn spy(fleet: &Fleet) -> Arc<dyn BusBackend> {
    let bus: Arc<dyn BusBackend> = match fleet.bus().parse().unwrap() {
        BusUrl::Sqlite(path) => Arc::new(SqliteBus::open(&path, clock::system()).await.unwrap()),
        BusUrl::Amqp(url) => Arc::new(AmqpBus::new(url, clock::system())),
    };
    let queues = EXCHANGES.iter().map(|exchange| {
        let events: Vec<_> = EventType::ALL.iter().copied().filter(|kind| kind.exchange() == *exchange).collect();
        Queue { name: SPY, exchange, events: Vec::leak(events) }
    });
    bus.declare(EXCHANGES, &queues.collect::<Vec<_>>()).await.unwrap();
    bus
}

/// Returns the marks and secrets that a text contains.
fn found<'a>(text: &str, wanted: &[&'a str]) -> Vec<&'a str> {
    wanted.iter().copied().filter(|mark| text.contains(mark)).collect()
}

async fn logs_and_traces_have_no_personal_data_or_secrets(deployment: Deployment) {
    let Some(jaeger) = available(Jaeger::start().await) else { return };
    let otlp = jaeger.otlp();
    let variables = [("RUST_LOG", LOUD), ("LOG_FORMAT", "json"), ("OTEL_EXPORTER_OTLP_ENDPOINT", otlp.as_str())];
    let Some(fleet) = deploy_with(deployment, &variables).await else { return };
    let bus = spy(&fleet).await;
    let secrets = play(&fleet).await;
    let wanted: Vec<_> = mark::ALL.into_iter().chain(secrets.iter().map(String::as_str)).collect();

    let mut events = bus.subscribe(SPY, 100).await.unwrap();
    let mut kinds = Vec::new();
    loop {
        let event = events.next().await.unwrap();
        let (kind, body) =
            (event.message.event_type.clone(), String::from_utf8_lossy(&event.message.body).into_owned());
        let belongs = |mark: &&str| match kind.as_str() {
            "user.created" => mark::CREATED.contains(mark),
            "order.cancelled" => *mark == mark::REASON,
            _ => false,
        };
        let astray: Vec<_> = found(&body, &wanted).into_iter().filter(|mark| !belongs(mark)).collect();
        assert_eq!(astray, [""; 0], "{kind} tells what does not belong there");
        event.ack().await.unwrap();
        kinds.push(kind.clone());
        if kind == "user.deleted" {
            break;
        }
    }
    assert!(kinds.iter().any(|kind| kind == "user.created"), "{kinds:?}");

    let logged = fleet.log().await;
    let lines: Vec<Value> = logged.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert!(lines.len() > 100, "only {} lines", lines.len());
    for (level, least) in [("info", 50), ("debug", 1)] {
        let count = lines.iter().filter(|line| line["log.level"] == level).count();
        assert!(count >= least, "only {count} lines at {level}");
    }
    for line in logged.lines() {
        assert_eq!(found(line, &wanted), [""; 0], "{line}");
    }
    check_lines(&lines);

    until("spans of all", || async {
        for service in SERVICES {
            if jaeger.traces(service, 1).await.unwrap().is_empty() {
                return None;
            }
        }
        Some(())
    })
    .await;
    for service in SERVICES {
        for trace in jaeger.traces(service, 1500).await.unwrap() {
            assert_eq!(found(&trace.to_string(), &wanted), [""; 0], "{trace:#}");
        }
    }
}

/// Checks that each request has one access line with time, outcome, trace and, if it concerns an order, the order id.
fn check_lines(lines: &[Value]) {
    let placed: Vec<_> = lines
        .iter()
        .filter(|line| line["log.logger"] == "access" && line["http.route"] == "/api/orders")
        .filter(|line| line["http.request.method"] == "POST" && line["http.response.status_code"] == 201)
        .collect();
    assert_eq!(placed.len(), 3, "a line for each of the three calls that placed an order, or repeated it");
    for line in &placed {
        assert_eq!(line["service.name"], "order-service");
        for field in ["trace.id", "span.id", "http.request.id", "@timestamp", "service.version"] {
            assert!(line[field].is_string(), "{field} is not in {line}");
        }
        assert!(line["event.duration_ms"].is_u64(), "{line}");
    }
    let about: Vec<_> = placed.iter().filter(|line| line["labels.order_id"].is_string()).collect();
    assert_eq!(about.len(), 2, "the two that placed one say which");
    let edge = lines.iter().filter(|line| line["log.logger"] == "gateway::access");
    assert!(edge.into_iter().all(|line| line["trace.id"].is_string() && line["service.name"] == "gateway"));
}

fleet_tests!(embedded = Embedded: logs_and_traces_have_no_personal_data_or_secrets);
fleet_tests!(on_servers = Servers: logs_and_traces_have_no_personal_data_or_secrets);
