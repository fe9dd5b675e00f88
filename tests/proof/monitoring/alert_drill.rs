//! Alert drill: each injected fault raises its alert and appears in a trace, and both end with it.
#![expect(clippy::print_stdout, reason = "which alerts are raised, and when, is printed")]

use std::sync::Arc;
use std::time::Duration;

use common::fault::Fault;
use serde_json::json;
use testkit::fleet::{ApiClient, ClientExt as _, Fleet, LoadGenerator, until};
use testkit::servers::{self, Jaeger, Prometheus, Spans, begin_trace};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::targets::MonitoredFleet;

/// Speed-up of the rules against production: five minutes become five seconds.
const SPEED_UP: u64 = 60;
/// Concurrent registrations, so that some have to wait.
const CROWD: usize = 12;
/// Latency alerts, which a busy machine raises by itself.
const LATENCY_ALERTS: [&str; 5] =
    ["OrderLatencyBurnFast", "PasswordQueueLong", "CacheFails", "PaymentProviderSlow", "ProductReadBurnFast"];
/// Time after which a firing latency alert is attributed to the machine.
const QUIET_TIMEOUT: Duration = Duration::from_secs(40);
/// Pause between two reads of a product.
const PAUSE: Duration = Duration::from_millis(100);

const USER: &str = "user-service";
const PRODUCT: &str = "product-service";
const ORDER: &str = "order-service";
const PAYMENT: &str = "payment-service";

/// Action of a customer that meets the fault.
#[derive(Clone, Copy, PartialEq)]
enum Act {
    Read,
    SignIn,
    Place,
    Pay,
}

/// Appearance of the fault in a span.
enum Sign {
    Fails(&'static str, &'static str),
    TakesMillis(&'static str, &'static str, u64),
    /// The first span exists; the second appears only after the fault is cleared.
    Stops((&'static str, &'static str), (&'static str, &'static str)),
}

struct Drill {
    fault: &'static [&'static str],
    alert: &'static str,
    act: Act,
    sign: Sign,
}

/// Returns a drill for each fault.
fn drills() -> [Drill; 10] {
    let create = "stripe create_intent";
    let reserve = "POST /api/products/reservations";
    let consumed = (ORDER, "process order-service.payment.events");
    let drill = |fault, alert, act, sign| Drill { fault, alert, act, sign };
    [
        drill(
            &["hot-row", "--delay-ms", "400"],
            "OrderLatencyBurnFast",
            Act::Place,
            Sign::TakesMillis(PRODUCT, reserve, 400),
        ),
        drill(&["slow-passwords"], "PasswordQueueLong", Act::SignIn, Sign::TakesMillis(USER, "password hash", 1000)),
        drill(&["cache-gone"], "CacheFails", Act::Read, Sign::Fails(PRODUCT, "cache get")),
        drill(
            &["publish-errors", "--service", ORDER],
            "PublishingFails",
            Act::Place,
            Sign::Fails(ORDER, "publish order.created"),
        ),
        drill(
            &["consumer-stop", "--service", ORDER],
            "QueueStandsStill",
            Act::Pay,
            Sign::Stops((PAYMENT, "publish payment.created"), consumed),
        ),
        drill(
            &["consumer-errors", "--service", ORDER],
            "MessagesRetried",
            Act::Pay,
            Sign::Fails(consumed.0, consumed.1),
        ),
        drill(&["provider-delay"], "PaymentProviderSlow", Act::Pay, Sign::TakesMillis(PAYMENT, create, 3000)),
        drill(&["provider-errors"], "PaymentProviderFails", Act::Pay, Sign::Fails(PAYMENT, create)),
        drill(
            &["http-delay", "--service", PRODUCT, "--delay-ms", "300"],
            "ProductReadBurnFast",
            Act::Read,
            Sign::TakesMillis(PRODUCT, "GET /api/products/{id}", 300),
        ),
        drill(
            &["http-errors", "--service", ORDER],
            "OrderErrorsBurnFast",
            Act::Place,
            Sign::Fails(ORDER, "POST /api/orders"),
        ),
    ]
}

/// Shortens the windows and waits of a rule file; thresholds stay.
fn faster(rules: &str) -> String {
    let line = |line: &str| match line.split_once("for: ") {
        Some((indent, span)) => format!("{indent}for: {}", shorter(span)),
        None => {
            let mut parts = line.split('[');
            let first = parts.next().unwrap_or_default().to_owned();
            parts.fold(first, |line, part| match part.split_once(']') {
                Some((span, rest)) => format!("{line}[{}]{rest}", shorter(span)),
                None => format!("{line}[{part}"),
            })
        }
    };
    rules.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Shortens a duration such as `5m`; other texts stay.
fn shorter(span: &str) -> String {
    let (number, unit) = span.split_at(span.len().saturating_sub(1));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86400,
        _ => return span.to_owned(),
    };
    let millis = |number: u64| format!("{}ms", number * seconds * 1000 / SPEED_UP);
    number.parse().map_or_else(|_| span.to_owned(), millis)
}

#[test]
fn only_windows_and_waits_are_shortened() {
    let rules = "expr: rate(a_rate5m{b=\"c\"}[5m]) > 5 and d[1h]\n  for: 2m\nlabels: { e: [f] }";
    assert_eq!(
        faster(rules),
        "expr: rate(a_rate5m{b=\"c\"}[5000ms]) > 5 and d[60000ms]\n  for: 2000ms\nlabels: { e: [f] }"
    );
}

async fn firing(prometheus: &Prometheus, alert: &str) -> bool {
    let alerts = prometheus.query("alerts", &[]).await.unwrap();
    let mut alerts = alerts["alerts"].as_array().unwrap().iter();
    alerts.any(|one| one["labels"]["alertname"] == alert && one["state"] == "firing")
}

fn fault(fleet: &Fleet, arguments: &[&str]) {
    let output = fleet.command(&[&["fault"], arguments].concat()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Performs an action in a trace of its own and returns the trace id.
async fn play(fleet: &Fleet, person: &ApiClient, act: Act) -> String {
    let (id, traceparent) = begin_trace();
    let traced = |person: &ApiClient| person.traced(&traceparent);
    match act {
        Act::Read => drop(traced(person).get("/api/products/1").await),
        Act::SignIn => {
            let wrong = json!({"email": "nobody@example.com", "password": "not the one"});
            drop(traced(&fleet.visitor()).post("/api/auth/login", &wrong).await);
        }
        Act::Place => drop(traced(person).post("/api/orders", &person.order_form(&[(1, 1)])).await),
        Act::Pay => {
            let order = person.place(&[(1, 1)]).await;
            drop(traced(person).request_payment(&order).await);
        }
    }
    id
}

fn shows(spans: &Spans, sign: &Sign) -> bool {
    match *sign {
        Sign::Fails(service, name) => {
            spans.of((service, name)).any(|span| span.tags.get("error").is_some_and(|error| error == "true"))
        }
        Sign::TakesMillis(service, name, millis) => spans.of((service, name)).any(|span| span.micros >= millis * 1000),
        Sign::Stops(before, after) => spans.of(before).count() > 0 && spans.of(after).count() == 0,
    }
}

/// Spawns concurrent registrations that repeat until they are dropped.
fn crowd(fleet: &Arc<Fleet>) -> JoinSet<()> {
    let sign_up = |fleet: Arc<Fleet>| async move {
        loop {
            fleet.customer().await.unwrap();
        }
    };
    (0..CROWD).map(|_| sign_up(fleet.clone())).collect()
}

/// Waits until an alert does not fire. Returns false if a latency alert keeps firing, which is attributed to the machine.
async fn is_quiet(prometheus: &Prometheus, alert: &str) -> bool {
    let wanted = format!("{alert} to stop firing");
    let quiet = until(&wanted, || async { (!firing(prometheus, alert).await).then_some(()) });
    if LATENCY_ALERTS.contains(&alert) {
        return tokio::time::timeout(QUIET_TIMEOUT, quiet).await.is_ok();
    }
    quiet.await;
    true
}

async fn run(monitored: &MonitoredFleet, jaeger: &Jaeger, person: &ApiClient, drill: &Drill) {
    let Drill { fault: arguments, alert, act, sign } = drill;
    let (fleet, prometheus) = (&monitored.fleet, &monitored.prometheus);
    let was_quiet = is_quiet(prometheus, alert).await;
    fault(fleet, &[&["set"], *arguments].concat());
    let started = Instant::now();
    let crowd = if *act == Act::SignIn { crowd(fleet) } else { JoinSet::new() };
    until(&format!("{alert} to fire"), || async { firing(prometheus, alert).await.then_some(()) }).await;
    let after = if was_quiet { format!("after {:>2} s", started.elapsed().as_secs()) } else { "before".to_owned() };
    let id = play(fleet, person, *act).await;
    until(&format!("{} shows in the trace", arguments[0]), || async {
        shows(&jaeger.trace(&id).await?, sign).then_some(())
    })
    .await;
    drop(crowd);
    fault(fleet, &["clear", arguments[0]]);
    if let Sign::Stops(_, after) = sign {
        until("what was stopped goes on", || async { jaeger.trace(&id).await?.of(*after).next().map(drop) }).await;
    }
    println!("{:<16} {alert:<22} {after}, seen in the trace", arguments[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_raise_their_alerts_and_appear_in_traces() {
    let _alone = crate::ALONE.lock().await;
    let Some(jaeger) = servers::available(Jaeger::start().await) else { return };
    let otlp = jaeger.otlp();
    let environment = [("FAULTS", "on"), ("OTEL_EXPORTER_OTLP_ENDPOINT", otlp.as_str())];
    let Some(monitored) = MonitoredFleet::start(&environment, faster).await else { return };
    let (fleet, prometheus) = (&monitored.fleet, &monitored.prometheus);
    fleet.admin().await.unwrap().restock(1, 90_000).await.unwrap();
    let started = Instant::now();
    let load = LoadGenerator::start(fleet, 1, 1).await.unwrap();
    let person = fleet.customer().await.unwrap();
    let reader = person.clone();
    let reader = tokio::spawn(async move {
        loop {
            drop(reader.get("/api/products/1").await);
            tokio::time::sleep(PAUSE).await;
        }
    });
    let drills = drills();
    for fault in Fault::ALL {
        assert!(drills.iter().any(|drill| drill.fault[0] == fault.as_str()), "no drill of {}", fault.as_str());
    }
    for drill in &drills {
        run(&monitored, &jaeger, &person, drill).await;
    }
    for Drill { alert, .. } in &drills {
        if !is_quiet(prometheus, alert).await {
            println!("{alert} keeps firing: the machine is slow");
        }
    }
    let seconds = i64::try_from(started.elapsed().as_secs()).unwrap();
    let fired = prometheus.query_range("max by (alertname) (ALERTS{alertstate=\"firing\"})", seconds, 1).await.unwrap();
    let fired: Vec<_> = fired.iter().map(|one| one["metric"]["alertname"].as_str().unwrap()).collect();
    println!("{} faults in {seconds} s; {} alerts fired in all: {}", drills.len(), fired.len(), fired.join(", "));
    reader.abort();
    let _ = reader.await;
    let (left, table) = load.end().await.unwrap();
    println!("{} orders were placed meanwhile\n{table}", left.orders.len());
}
