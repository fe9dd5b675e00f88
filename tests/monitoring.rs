//! Every panel and every rule against live figures: a fleet on real servers with customers, and a real Prometheus with the
//! configuration, the rules and the exporters that are shipped.
//!
//! With `PICTURES` set to a folder, the run goes on for two minutes and the dashboards' data is drawn there.
#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect fails")]

#[path = "monitoring/drill.rs"]
mod drill;
#[path = "monitoring/expressions.rs"]
mod expressions;
#[path = "monitoring/pictures.rs"]
mod pictures;
#[path = "monitoring/watched.rs"]
mod watched;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use expressions::Asked;
use serde_json::Value;
use testkit::fleet::{Fleet, Load};
use testkit::servers::Prometheus;
use tokio::time::Instant;

/// What gives no data here, and why.
const SILENT: [(&str, &str); 5] = [
    ("Stores and caches › MongoDB answers", MONGODB),
    ("Stores and caches › MongoDB: connections", MONGODB),
    ("Stores and caches › MongoDB: operations", MONGODB),
    ("MongoDbDown", MONGODB),
    ("OrdersStopped", "it compares with the day before"),
];
const MONGODB: &str = "there is no exporter of MongoDB 6 among Debian's packages or Go's modules";
/// How long all of it may take to have data. Far more than it does.
const DEADLINE: Duration = Duration::from_secs(180);
/// A fleet with all that watches it is enough for the machine: its tests run one after the other.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
/// How far back is looked.
const SECONDS: i64 = 60;

/// A customer who does what the steady ones do not: is declined, wants too much, reads, signs in.
async fn play(fleet: Arc<Fleet>) {
    loop {
        let mut person = fleet.customer().await;
        let order = person.place(&[(2, 1)]).await;
        let payment = person.pay(&order).await;
        let _ = fleet.charge(&payment, "pm_card_chargeDeclined").await;
        let _ = person.post("/api/orders", &person.order_form(&[(2, 1000)])).await;
        for _ in 0..20 {
            let _ = person.get("/api/products/2").await;
        }
        person = fleet.admin().await;
        let _ = person.get("/api/orders").await;
    }
}

/// Whether an expression gave a number in the time that is looked at.
async fn has_data(prometheus: &Prometheus, expression: &str) -> bool {
    let number =
        |sample: &Value| sample[1].as_str().and_then(|text| text.parse::<f64>().ok()).is_some_and(f64::is_finite);
    let series = prometheus.range(expression, SECONDS, 2).await;
    series.iter().any(|series| series["values"].as_array().unwrap().iter().any(number))
}

/// The expressions of this that gave nothing.
async fn without_data(prometheus: &Prometheus, asked: &Asked) -> Vec<String> {
    let mut without = Vec::new();
    for variants in &asked.expressions {
        let mut found = false;
        for expression in variants {
            found = found || has_data(prometheus, expression).await;
        }
        if !found {
            without.push(variants[0].clone());
        }
    }
    without
}

#[tokio::test(flavor = "multi_thread")]
async fn every_panel_and_every_rule_gives_data() {
    let _alone = ALONE.lock().await;
    let Some(watched) = watched::Watched::start(&[], str::to_owned).await else { return };
    let prometheus = &watched.prometheus;
    let admin = watched.fleet.admin().await;
    for product in 1..=2 {
        admin.restock(product, 90_000).await;
    }
    let load = Load::begin(&watched.fleet, 3, 1).await;
    let player = tokio::spawn(play(watched.fleet.clone()));

    let begun = Instant::now();
    let rules = prometheus.ask("rules", &[]).await;
    let mut pending = expressions::of_panels();
    pending.extend(expressions::of_rules(&rules));
    let mut counts: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for asked in &pending {
        counts.entry(asked.kind).or_default().0 += 1;
    }
    let mut told = Vec::new();
    while !pending.is_empty() && begun.elapsed() < DEADLINE {
        let mut still = Vec::new();
        told.clear();
        for asked in pending {
            let without = without_data(prometheus, &asked).await;
            if without.is_empty() {
                counts.entry(asked.kind).or_default().1 += 1;
            } else {
                told.push((asked.place.clone(), without));
                still.push(asked);
            }
        }
        pending = still;
        if pending.iter().all(|asked| SILENT.iter().any(|(place, _)| *place == asked.place)) {
            break;
        }
    }
    println!("after {} s with customers:", begun.elapsed().as_secs());
    for (kind, (all, with)) in &counts {
        println!("{kind:<10} {all:>4}, with data {with:>4}");
    }
    for (place, why) in SILENT {
        println!("no data: {place}: {why}");
    }
    let unexpected: Vec<_> =
        told.iter().filter(|(place, _)| !SILENT.iter().any(|(silent, _)| silent == place)).collect();
    assert!(unexpected.is_empty(), "no data: {unexpected:#?}");
    // A reason that is no longer true is to be taken away.
    assert_eq!(told.len(), SILENT.len(), "{told:#?}");
    for rule in rules_now(prometheus).await {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
    if let Some(folder) = std::env::var_os("PICTURES") {
        pictures::draw(prometheus, std::path::Path::new(&folder)).await;
    }
    player.abort();
    let _ = player.await;
    let (left, _) = load.end().await;
    println!("{} orders were placed", left.orders.len());
}

async fn rules_now(prometheus: &Prometheus) -> Vec<Value> {
    let rules = prometheus.ask("rules", &[]).await;
    let groups = rules["groups"].as_array().unwrap().iter();
    groups.flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}
