//! What an operator asks a running fleet, and what the answers are when something is wrong.
#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect fails")]

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use bytes::Bytes;
use common::bus::{Bus, BusUrl};
use common::clock;
use common::metrics::Metrics;
use contracts::EventType;
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use testkit::bus::message;
use testkit::fleet::{Fleet, Way, binary, until};
use testkit::in_one_way;
use tokio::io::{AsyncBufReadExt as _, BufReader};

fn shopfleet(fleet: &Fleet, arguments: &[&str]) -> Output {
    fleet.command(arguments).output().unwrap()
}

fn text(output: &[u8]) -> String {
    String::from_utf8(output.to_vec()).unwrap()
}

fn id(value: &Value) -> &str {
    value["id"].as_str().unwrap()
}

/// A store of the fleet as somebody sees it who goes past its service, and past what its tables forbid.
async fn store(fleet: &Fleet, name: &str) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(fleet.data_dir().join(name)).foreign_keys(false);
    options.pragma("ignore_check_constraints", "1").connect().await.unwrap()
}

async fn spoil(fleet: &Fleet, name: &str, statement: &'static str, about: &[&str]) {
    let mut store = store(fleet, name).await;
    let mut query = sqlx::query(statement);
    for one in about {
        query = query.bind((*one).to_owned());
    }
    assert_ne!(query.execute(&mut store).await.unwrap().rows_affected(), 0, "{statement}");
    store.close().await.unwrap();
}

/// The sessions of all users.
async fn sessions(fleet: &Fleet) -> i64 {
    let mut store = store(fleet, "users.db").await;
    let count = "SELECT count(*) FROM users, json_each(users.document, '$.sessions')";
    let sessions = sqlx::query_scalar(count).fetch_one(&mut store).await.unwrap();
    store.close().await.unwrap();
    sessions
}

/// Only so many of one admin are kept: those of commands would push out those of people.
#[tokio::test]
async fn commands_of_operators_leave_no_session_behind() {
    let fleet = Fleet::start().await;
    let before = sessions(&fleet).await;
    for command in [&["audit"][..], &["dlq", "list"], &["why", "ORD-NONE"], &["fault", "list"]] {
        shopfleet(&fleet, command);
        assert_eq!(sessions(&fleet).await, before, "{command:?}");
    }
}

#[tokio::test]
async fn the_audit_finds_what_was_put_in_and_nothing_before() {
    let fleet = Fleet::start().await;
    let person = fleet.customer().await;
    let mut orders = Vec::new();
    for _ in 0..3 {
        orders.push(person.place(&[(1, 2)]).await);
    }
    let mut payments = Vec::new();
    for order in &orders[..2] {
        let payment = person.pay(order).await;
        let _ = fleet.charge(&payment, "pm_card_visa").await.expect(200);
        person.until_order(order, "confirmed", "completed").await;
        payments.push(payment["payment"].clone());
    }

    let sound = shopfleet(&fleet, &["audit"]);
    let shown = text(&sound.stdout);
    assert!(sound.status.success() && shown.contains("0 violations"), "{shown}{}", text(&sound.stderr));
    assert!(shown.contains("3 orders, 2 payments: 149.54 taken, 0.00 given back"), "{shown}");

    spoil(&fleet, "products.db", "UPDATE products SET stock_quantity = stock_quantity + 7 WHERE id = 4", &[]).await;
    let sell = "UPDATE products SET stock_quantity = stock_quantity - 1, sold = sold + 1 WHERE id = 5";
    spoil(&fleet, "products.db", sell, &[]).await;
    let take = "UPDATE payments SET captured = captured - 100 WHERE id = $1";
    spoil(&fleet, "payments.db", take, &[id(&payments[0])]).await;
    let astray = "UPDATE payments SET order_id = '01890000-0000-7000-8000-000000000000' WHERE id = $1";
    spoil(&fleet, "payments.db", astray, &[id(&payments[1])]).await;
    let key = "UPDATE orders SET idempotency_key = 'twice' WHERE id IN ($1, $2)";
    spoil(&fleet, "orders.db", key, &[id(&orders[1]), id(&orders[2])]).await;

    let spoilt = shopfleet(&fleet, &["audit", "--grace", "2", "--wait", "30"]);
    let shown = text(&spoilt.stdout);
    assert_eq!(spoilt.status.code(), Some(1), "{shown}");
    for (rule, about, amount) in [
        ("pieces_add_up", "product 4", " 7"),
        ("pieces_belong_to_orders", "product 5", "1 pieces are sold, but confirmed orders have 0"),
        ("order_knows_its_money", id(&orders[0]), "73.77 and 0.00"),
        ("money_matches_order", id(&orders[0]), "73.77 was kept, but it is worth 74.77"),
        ("provider_agrees", id(&payments[0]), "took 74.77"),
        ("payment_has_order", id(&payments[1]), "does not exist"),
        ("key_made_one_order", id(&orders[2]), "with the key `twice`"),
    ] {
        let found = shown.lines().any(|line| {
            line.starts_with("VIOLATION") && line.contains(rule) && line.contains(about) && line.contains(amount)
        });
        assert!(found, "{rule}, {about}, {amount}: {shown}");
    }
}

/// An event of the order service that no relay will ever take.
const STUCK: &str = "INSERT INTO outbox
    (id, event_type, schema_version, aggregate_id, sequence, service, at, data, claimed_until)
    VALUES ($1, 'order.updated', 1, 'x', 1, 'order-service', 0, '{}', 9000000000000)";

/// The value of a metric; none while it is not shown.
async fn metric(url: &str, line: &str) -> Option<String> {
    let text = reqwest::get(url).await.ok()?.text().await.ok()?;
    text.lines().find_map(|shown| shown.strip_prefix(line)).map(|value| value.trim().to_owned())
}

#[tokio::test]
async fn the_audit_keeps_on_and_shows_what_it_finds_as_metrics() {
    let fleet = Fleet::start().await;
    let watch = ["audit", "--watch", "--interval", "1", "--grace", "1", "--metrics-port", "0"];
    let mut command = tokio::process::Command::from(fleet.command(&watch));
    let mut auditor = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut said = BufReader::new(auditor.stdout.take().unwrap()).lines();
    let first = said.next_line().await.unwrap().unwrap();
    let url = first.strip_prefix("metrics at ").unwrap_or_else(|| panic!("{first}"));
    let shows = async |line: &str, value: &str| {
        let what = format!("{line} {value}");
        until(&what, || async { (metric(url, line).await? == value).then_some(()) }).await;
    };
    let waits = "audit_violations{rule=\"events_are_published\"}";
    shows(waits, "0").await;

    let id = "01890000-0000-7000-8000-00000000dead";
    spoil(&fleet, "orders.db", STUCK, &[id]).await;
    shows(waits, "1").await;
    shows("audit_violations{rule=\"pieces_add_up\"}", "0").await;
    let told = said.next_line().await.unwrap().unwrap();
    assert!(told.contains("VIOLATION events_are_published: order-service"), "{told}");

    spoil(&fleet, "orders.db", "DELETE FROM outbox WHERE id = $1", &[id]).await;
    shows(waits, "0").await;
    assert!(metric(url, "audits_total{outcome=\"violations\"}").await.is_some());
    let pid = auditor.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(auditor.wait().await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn why_tells_the_life_of_an_order_by_its_id_and_its_number() {
    let fleet = Fleet::start().await;
    let person = fleet.customer().await;
    let order = person.place(&[(1, 1)]).await;
    let payment = person.pay(&order).await;
    let _ = fleet.charge(&payment, "pm_card_visa").await.expect(200);
    person.until_order(&order, "confirmed", "completed").await;
    let path = format!("/api/orders/{}/cancel", id(&order));
    let _ = person.post(&path, &json!({"reason": "changed my mind"})).await.expect(200);
    person.until_order(&order, "cancelled", "refunded").await;

    for name in [id(&order), order["order_number"].as_str().unwrap()] {
        let told = shopfleet(&fleet, &["why", name]);
        let shown = text(&told.stdout);
        assert!(told.status.success(), "{shown}{}", text(&told.stderr));
        for part in ["cancelled, refunded", "order.created", "payment.completed", "changed my mind", "payment.refunded"]
        {
            assert!(shown.contains(part), "{part}: {shown}");
        }
    }
    let unknown = shopfleet(&fleet, &["why", "ORD-19700101-0001"]);
    assert_eq!(unknown.status.code(), Some(1));
}

/// The queues that take what is told of cancelled orders.
const READERS: usize = 2;
/// A message is tried ten times within 51 s before it is given up.
const GIVEN_UP: Duration = Duration::from_secs(300);

async fn messages_that_nobody_can_read_are_listed_shown_put_back_and_removed(way: Way) {
    let Some(fleet) = Fleet::of(way).await else { return };
    let url: BusUrl = fleet.bus().parse().unwrap();
    let bus = Bus::connect(&url, &Metrics::new(), clock::system()).await.unwrap();
    let mut poison = [EventType::OrderCancelled, EventType::OrderCancelled].map(message);
    for one in &mut poison {
        one.body = Bytes::from_static(b"{");
    }
    let [first, second] = [poison[0].id.to_string(), poison[1].id.to_string()];
    bus.publish(&poison).await.unwrap().into_iter().collect::<Result<Vec<_>, _>>().unwrap();

    // They hold up nobody: the same queues handle what comes after them.
    let person = fleet.customer().await;
    let before = person.stock(1).await;
    let order = person.place(&[(1, 1)]).await;
    let path = format!("/api/orders/{}/cancel", id(&order));
    let _ = person.post(&path, &json!({})).await.expect(200);
    person.until_stock(1, before).await;

    let list = || text(&shopfleet(&fleet, &["dlq", "list"]).stdout);
    let copies = |shown: &str, id: &str| shown.lines().filter(|line| line.starts_with(id)).count();
    let given_up = async {
        loop {
            let shown = list();
            if copies(&shown, &first) == READERS && copies(&shown, &second) == READERS {
                break shown;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let shown = tokio::time::timeout(GIVEN_UP, given_up).await.expect("they are given up");
    assert!(shown.contains("order.cancelled") && shown.contains("10 tries"), "{shown}");
    let whole: Value = serde_json::from_slice(&shopfleet(&fleet, &["dlq", "show", &first]).stdout).unwrap();
    assert_eq!(whole["id"], first);
    assert!(!whole["reason"].as_str().unwrap().is_empty(), "{whole}");
    let audit = text(&shopfleet(&fleet, &["audit", "--grace", "1"]).stdout);
    assert!(audit.contains("VIOLATION nothing_is_dead"), "{audit}");

    for _ in 0..READERS {
        assert!(shopfleet(&fleet, &["dlq", "redrive", &first]).status.success());
        assert!(shopfleet(&fleet, &["dlq", "drop", &second]).status.success());
    }
    let shown = list();
    assert_eq!((copies(&shown, &first), copies(&shown, &second)), (0, 0), "{shown}");
    assert_eq!(shopfleet(&fleet, &["dlq", "drop", &second]).status.code(), Some(1));
}

in_one_way!(embedded, Embedded, messages_that_nobody_can_read_are_listed_shown_put_back_and_removed);
in_one_way!(on_servers, Servers, messages_that_nobody_can_read_are_listed_shown_put_back_and_removed);

#[test]
fn chaos_with_a_hostile_provider_leaves_nothing_lost_and_nothing_doubled() {
    let directory = tempfile::tempdir().unwrap();
    let chaos = ["chaos", "--seconds", "60", "--clients", "4", "--kills", "3", "--hostile"];
    let output = Command::new(binary()).args(chaos).current_dir(Path::new(directory.path())).output().unwrap();
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{shown}{}", text(&output.stderr));
    assert!(shown.contains("3 kills by SIGKILL") && shown.contains("\n0 violations"), "{shown}");
}
