//! Operator commands against a running fleet.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use bytes::Bytes;
use common::messaging::bus::{Bus, BusUrl};
use common::telemetry::clock;
use common::telemetry::metrics::Metrics;
use contracts::EventType;
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use testkit::bus::message;
use testkit::fleet::{ClientExt as _, Deployment, Fleet, ResponseExt as _, deploy, shopfleet_binary, until};
use testkit::fleet_tests;
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

/// Opens a store directly, without its service and its constraints.
async fn store(fleet: &Fleet, name: &str) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(fleet.data_dir().unwrap().join(name)).foreign_keys(false);
    options.pragma("ignore_check_constraints", "1").connect().await.unwrap()
}

async fn corrupt(fleet: &Fleet, name: &str, statement: &'static str, about: &[&str]) {
    let mut store = store(fleet, name).await;
    let mut query = sqlx::query(statement);
    for one in about {
        query = query.bind((*one).to_owned());
    }
    assert_ne!(query.execute(&mut store).await.unwrap().rows_affected(), 0, "{statement}");
    store.close().await.unwrap();
}

/// Returns the number of sessions of all users.
async fn sessions(fleet: &Fleet) -> i64 {
    let mut store = store(fleet, "users.db").await;
    let count = "SELECT count(*) FROM users, json_each(users.document, '$.sessions')";
    let sessions = sqlx::query_scalar(count).fetch_one(&mut store).await.unwrap();
    store.close().await.unwrap();
    sessions
}

/// An admin's sessions are limited, so commands must not displace those of people.
#[tokio::test]
async fn operator_commands_leave_no_session() {
    let fleet = Fleet::start().await.unwrap();
    let before = sessions(&fleet).await;
    for command in [&["audit"][..], &["dlq", "list"], &["history", "ORD-NONE"], &["fault", "list"]] {
        shopfleet(&fleet, command);
        assert_eq!(sessions(&fleet).await, before, "{command:?}");
    }
}

#[tokio::test]
async fn audit_reports_injected_violations_only() {
    let fleet = Fleet::start().await.unwrap();
    let person = fleet.customer().await.unwrap();
    let mut orders = Vec::new();
    for _ in 0..3 {
        orders.push(person.place(&[(1, 2)]).await);
    }
    let mut payments = Vec::new();
    for order in &orders[..2] {
        let payment = person.pay(order).await;
        let _ = fleet.charge(&payment, "pm_card_visa").await.json(200);
        person.until_order(order, "confirmed", "completed").await;
        payments.push(payment["payment"].clone());
    }

    let clean = shopfleet(&fleet, &["audit"]);
    let shown = text(&clean.stdout);
    assert!(clean.status.success() && shown.contains("0 violations"), "{shown}{}", text(&clean.stderr));
    assert!(shown.contains("3 orders, 2 payments: 149.54 captured, 0.00 refunded"), "{shown}");

    corrupt(&fleet, "products.db", "UPDATE products SET stock_quantity = stock_quantity + 7 WHERE id = 4", &[]).await;
    let sell = "UPDATE products SET stock_quantity = stock_quantity - 1, sold = sold + 1 WHERE id = 5";
    corrupt(&fleet, "products.db", sell, &[]).await;
    let take = "UPDATE payments SET captured = captured - 100 WHERE id = $1";
    corrupt(&fleet, "payments.db", take, &[id(&payments[0])]).await;
    let astray = "UPDATE payments SET order_id = '01890000-0000-7000-8000-000000000000' WHERE id = $1";
    corrupt(&fleet, "payments.db", astray, &[id(&payments[1])]).await;
    let key = "UPDATE orders SET idempotency_key = 'twice' WHERE id IN ($1, $2)";
    corrupt(&fleet, "orders.db", key, &[id(&orders[1]), id(&orders[2])]).await;

    let corrupted = shopfleet(&fleet, &["audit", "--grace", "2", "--wait", "30"]);
    let shown = text(&corrupted.stdout);
    assert_eq!(corrupted.status.code(), Some(1), "{shown}");
    for (rule, about, amount) in [
        ("pieces_add_up", "product 4", " 7"),
        ("pieces_belong_to_orders", "product 5", "1 pieces are sold, but confirmed orders have 0"),
        ("order_knows_its_money", id(&orders[0]), "73.77 and 0.00"),
        ("money_matches_order", id(&orders[0]), "73.77 retained, but the order is worth 74.77"),
        ("provider_agrees", id(&payments[0]), "captured 74.77"),
        ("payment_has_order", id(&payments[1]), "does not exist"),
        ("key_made_one_order", id(&orders[2]), "with the key `twice`"),
    ] {
        let found = shown.lines().any(|line| {
            line.starts_with("VIOLATION") && line.contains(rule) && line.contains(about) && line.contains(amount)
        });
        assert!(found, "{rule}, {about}, {amount}: {shown}");
    }
}

/// Event of the order service that no relay ever claims.
const STUCK: &str = "INSERT INTO outbox
    (id, event_type, schema_version, aggregate_id, sequence, service, at, data, claimed_until)
    VALUES ($1, 'order.updated', 1, 'x', 1, 'order-service', 0, '{}', 9000000000000)";

/// Returns the value of a metric; `None` if it is not exported.
async fn metric(url: &str, line: &str) -> Option<String> {
    let text = reqwest::get(url).await.ok()?.text().await.ok()?;
    text.lines().find_map(|shown| shown.strip_prefix(line)).map(|value| value.trim().to_owned())
}

#[tokio::test]
async fn watching_audit_exports_findings_as_metrics() {
    let fleet = Fleet::start().await.unwrap();
    let watch = ["audit", "--watch", "--interval", "1", "--grace", "1", "--metrics-port", "0"];
    let mut command = tokio::process::Command::from(fleet.command(&watch));
    let mut auditor = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut output = BufReader::new(auditor.stdout.take().unwrap()).lines();
    let first = output.next_line().await.unwrap().unwrap();
    let url = first.strip_prefix("metrics at ").unwrap_or_else(|| panic!("{first}"));
    let shows = async |line: &str, value: &str| {
        let what = format!("{line} {value}");
        until(&what, || async { (metric(url, line).await? == value).then_some(()) }).await;
    };
    let rule = "audit_violations{rule=\"events_are_published\"}";
    shows(rule, "0").await;

    let id = "01890000-0000-7000-8000-00000000dead";
    corrupt(&fleet, "orders.db", STUCK, &[id]).await;
    shows(rule, "1").await;
    shows("audit_violations{rule=\"pieces_add_up\"}", "0").await;
    let line = output.next_line().await.unwrap().unwrap();
    assert!(line.contains("VIOLATION events_are_published: order-service"), "{line}");

    corrupt(&fleet, "orders.db", "DELETE FROM outbox WHERE id = $1", &[id]).await;
    shows(rule, "0").await;
    assert!(metric(url, "audits_total{outcome=\"violations\"}").await.is_some());
    let pid = auditor.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(auditor.wait().await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn history_is_found_by_id_and_by_number() {
    let fleet = Fleet::start().await.unwrap();
    let person = fleet.customer().await.unwrap();
    let order = person.place(&[(1, 1)]).await;
    let payment = person.pay(&order).await;
    let _ = fleet.charge(&payment, "pm_card_visa").await.json(200);
    person.until_order(&order, "confirmed", "completed").await;
    let path = format!("/api/orders/{}/cancel", id(&order));
    let _ = person.post(&path, &json!({"reason": "changed my mind"})).await.json(200);
    person.until_order(&order, "cancelled", "refunded").await;

    // `why` is the alias of `history`.
    let number = order["order_number"].as_str().unwrap();
    for arguments in [["history", id(&order)], ["history", number], ["why", number]] {
        let output = shopfleet(&fleet, &arguments);
        let shown = text(&output.stdout);
        assert!(output.status.success(), "{shown}{}", text(&output.stderr));
        for part in ["cancelled, refunded", "order.created", "payment.completed", "changed my mind", "payment.refunded"]
        {
            assert!(shown.contains(part), "{part}: {shown}");
        }
    }
    let unknown = shopfleet(&fleet, &["history", "ORD-19700101-0001"]);
    assert_eq!(unknown.status.code(), Some(1));
}

/// Number of queues that receive `order.cancelled`.
const QUEUES: usize = 2;
/// Deadline for a message to become a dead letter; its ten attempts take 51 s.
const DEAD_LETTER_DEADLINE: Duration = Duration::from_secs(300);

async fn unreadable_messages_are_listed_shown_redriven_and_deleted(deployment: Deployment) {
    let Some(fleet) = deploy(deployment).await else { return };
    let url: BusUrl = fleet.bus().parse().unwrap();
    let bus = Bus::connect(&url, &Metrics::new(), clock::system()).await.unwrap();
    let mut poison = [EventType::OrderCancelled, EventType::OrderCancelled].map(message);
    for one in &mut poison {
        one.body = Bytes::from_static(b"{");
    }
    let [first, second] = [poison[0].id.to_string(), poison[1].id.to_string()];
    bus.publish(&poison).await.unwrap().into_iter().collect::<Result<Vec<_>, _>>().unwrap();

    // They block no others: the same queues handle later messages.
    let person = fleet.customer().await.unwrap();
    let before = person.stock(1).await;
    let order = person.place(&[(1, 1)]).await;
    let path = format!("/api/orders/{}/cancel", id(&order));
    let _ = person.post(&path, &json!({})).await.json(200);
    person.until_stock(1, before).await;

    let list = || text(&shopfleet(&fleet, &["dlq", "list"]).stdout);
    let copies = |shown: &str, id: &str| shown.lines().filter(|line| line.starts_with(id)).count();
    let dead_lettered = async {
        loop {
            let shown = list();
            if copies(&shown, &first) == QUEUES && copies(&shown, &second) == QUEUES {
                break shown;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let shown = tokio::time::timeout(DEAD_LETTER_DEADLINE, dead_lettered).await.expect("they become dead letters");
    assert!(shown.contains("order.cancelled") && shown.contains("10 attempts"), "{shown}");
    let whole: Value = serde_json::from_slice(&shopfleet(&fleet, &["dlq", "show", &first]).stdout).unwrap();
    assert_eq!(whole["id"], first);
    assert!(!whole["reason"].as_str().unwrap().is_empty(), "{whole}");
    let audit = text(&shopfleet(&fleet, &["audit", "--grace", "1"]).stdout);
    assert!(audit.contains("VIOLATION nothing_is_dead"), "{audit}");

    for _ in 0..QUEUES {
        assert!(shopfleet(&fleet, &["dlq", "redrive", &first]).status.success());
        assert!(shopfleet(&fleet, &["dlq", "drop", &second]).status.success());
    }
    let shown = list();
    assert_eq!((copies(&shown, &first), copies(&shown, &second)), (0, 0), "{shown}");
    assert_eq!(shopfleet(&fleet, &["dlq", "drop", &second]).status.code(), Some(1));
}

fleet_tests!(embedded = Embedded: unreadable_messages_are_listed_shown_redriven_and_deleted);
fleet_tests!(on_servers = Servers: unreadable_messages_are_listed_shown_redriven_and_deleted);

#[test]
fn chaos_with_a_hostile_provider_loses_and_duplicates_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let chaos = ["chaos", "--seconds", "60", "--clients", "4", "--kills", "3", "--hostile"];
    let output = Command::new(shopfleet_binary().unwrap())
        .args(chaos)
        .current_dir(Path::new(directory.path()))
        .output()
        .unwrap();
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{shown}{}", text(&output.stderr));
    assert!(shown.contains("3 kills by SIGKILL") && shown.contains("\n0 violations"), "{shown}");
}
