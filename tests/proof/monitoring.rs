//! Panels and rules on live metrics: a fleet on real servers with customers, and Prometheus with the shipped configuration,
//! rules and exporters.
//!
//! With `PICTURES` set to a folder, the run continues for two minutes and draws snapshots of the dashboards there.

mod alert_drill;
mod dashboard_snapshots;
mod expressions;
mod targets;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use self::expressions::Asked;
use serde_json::Value;
use testkit::fleet::{ClientExt as _, Fleet, LoadGenerator};
use testkit::servers::Prometheus;
use tokio::time::Instant;

/// Panels and alerts without data here, with the reason.
const SILENT: [(&str, &str); 5] = [
    ("Stores and caches › MongoDB up", MONGODB),
    ("Stores and caches › MongoDB: connections", MONGODB),
    ("Stores and caches › MongoDB: operations", MONGODB),
    ("MongoDbDown", MONGODB),
    ("OrdersStopped", "it compares with the day before"),
];
const MONGODB: &str = "there is no exporter of MongoDB 6 among Debian's packages or Go's modules";
/// Deadline for everything to have data. Far longer than needed.
const DEADLINE: Duration = Duration::from_secs(180);
/// Queried period in seconds.
const SECONDS: i64 = 60;

/// Plays a customer with rarer actions: declined payments, rejected orders, reads, sign-ins.
async fn play(fleet: Arc<Fleet>) {
    loop {
        let mut person = fleet.customer().await.unwrap();
        let order = person.place(&[(2, 1)]).await;
        let payment = person.pay(&order).await;
        let _ = fleet.charge(&payment, "pm_card_chargeDeclined").await.unwrap();
        let _ = person.post("/api/orders", &person.order_form(&[(2, 1000)])).await;
        for _ in 0..20 {
            let _ = person.get("/api/products/2").await;
        }
        person = fleet.admin().await.unwrap();
        let _ = person.get("/api/orders").await;
    }
}

/// Returns whether an expression had a finite value in the queried period.
async fn has_data(prometheus: &Prometheus, expression: &str) -> bool {
    let number =
        |sample: &Value| sample[1].as_str().and_then(|text| text.parse::<f64>().ok()).is_some_and(f64::is_finite);
    let series = prometheus.query_range(expression, SECONDS, 2).await.unwrap();
    series.iter().any(|series| series["values"].as_array().unwrap().iter().any(number))
}

/// Returns the expressions of a query without data.
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
async fn panels_and_rules_have_data() {
    let _alone = crate::ALONE.lock().await;
    let Some(monitored) = targets::MonitoredFleet::start(&[], str::to_owned).await else { return };
    let prometheus = &monitored.prometheus;
    let admin = monitored.fleet.admin().await.unwrap();
    for product in 1..=2 {
        admin.restock(product, 90_000).await.unwrap();
    }
    let load = LoadGenerator::start(&monitored.fleet, 3, 1).await.unwrap();
    let player = tokio::spawn(play(monitored.fleet.clone()));

    let started = Instant::now();
    let rules = prometheus.query("rules", &[]).await.unwrap();
    let mut pending = expressions::of_panels();
    pending.extend(expressions::of_rules(&rules));
    let mut counts: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for asked in &pending {
        counts.entry(asked.kind).or_default().0 += 1;
    }
    let mut silent = Vec::new();
    while !pending.is_empty() && started.elapsed() < DEADLINE {
        let mut still = Vec::new();
        silent.clear();
        for asked in pending {
            let without = without_data(prometheus, &asked).await;
            if without.is_empty() {
                counts.entry(asked.kind).or_default().1 += 1;
            } else {
                silent.push((asked.place.clone(), without));
                still.push(asked);
            }
        }
        pending = still;
        if pending.iter().all(|asked| SILENT.iter().any(|(place, _)| *place == asked.place)) {
            break;
        }
    }
    println!("after {} s with customers:", started.elapsed().as_secs());
    for (kind, (all, with)) in &counts {
        println!("{kind:<10} {all:>4}, with data {with:>4}");
    }
    for (place, why) in SILENT {
        println!("no data: {place}: {why}");
    }
    let unexpected: Vec<_> = silent.iter().filter(|(place, _)| !SILENT.iter().any(|(name, _)| name == place)).collect();
    assert!(unexpected.is_empty(), "no data: {unexpected:#?}");
    // An exception that no longer applies must be removed.
    assert_eq!(silent.len(), SILENT.len(), "{silent:#?}");
    for rule in rules_now(prometheus).await {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
    if let Some(folder) = std::env::var_os("PICTURES") {
        dashboard_snapshots::draw(prometheus, std::path::Path::new(&folder)).await;
    }
    player.abort();
    let _ = player.await;
    let (left, _) = load.end().await.unwrap();
    println!("{} orders were placed", left.orders.len());
}

async fn rules_now(prometheus: &Prometheus) -> Vec<Value> {
    let rules = prometheus.query("rules", &[]).await.unwrap();
    let groups = rules["groups"].as_array().unwrap().iter();
    groups.flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}
