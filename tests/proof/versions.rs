//! Previous version beside this one, on the same databases and broker, as during a rolling update.
//!
//! `tests/build-previous` builds it, and `PREVIOUS_BINARIES` names the folder of its binaries.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};
use testkit::fleet::{ApiClient, ClientExt as _, Fleet, ResponseExt as _, deploy_mixed_versions, until};

/// Returns the instances of each service: this version, then the previous one.
async fn instances(fleet: &Fleet) -> BTreeMap<String, Vec<String>> {
    let mut instances: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for instance in fleet.processes().unwrap().services() {
        let instance = instance.lock().await;
        instances.entry(instance.name.clone()).or_default().push(instance.url.clone());
    }
    instances
}

/// Places an order at one instance and pays it at another.
async fn buy(fleet: &Fleet, person: &ApiClient, orders: &str, payments: &str) -> Value {
    let order = person.at(orders).place(&[(1, 1)]).await;
    let payment = person.at(payments).pay(&order).await;
    let _ = fleet.charge(&payment, "pm_card_visa").await.json(200);
    person.at(orders).until_order(&order, "confirmed", "completed").await
}

async fn cancel(person: &ApiClient, orders: &str, order: &Value) {
    let path = format!("/api/orders/{}/cancel", order["id"].as_str().unwrap());
    let _ = person.at(orders).post(&path, &json!({})).await.json(200);
    person.until_order(order, "cancelled", "refunded").await;
}

/// Asserts that all outboxes are empty, no dead letter exists, and the audit finds no violation.
async fn assert_nothing_is_lost(fleet: &Fleet) {
    let service = fleet.service().await.unwrap();
    for (name, urls) in instances(fleet).await {
        until(&format!("the outbox of the {name} is empty"), || async {
            let state = service.at(&urls[0]).get("/ops/outbox").await.json(200);
            (state["pending"] == 0).then_some(())
        })
        .await;
    }
    let listed = fleet.command(&["dlq", "list"]).output().unwrap();
    let output = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.status.success(), "{output}");
    assert!(output.contains("0 dead letters"), "{output}");
    let audit = fleet.command(&["audit"]).output().unwrap();
    assert!(audit.status.success(), "{}", String::from_utf8_lossy(&audit.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn previous_version_runs_beside_this_one() {
    let _alone = crate::ALONE.lock().await;
    let Some(previous) = std::env::var_os("PREVIOUS_BINARIES").map(PathBuf::from) else { return skipped() };
    let Some(fleet) = deploy_mixed_versions(&previous).await else { return };
    let at = instances(&fleet).await;
    let (orders, payments, users) = (&at["order-service"], &at["payment-service"], &at["user-service"]);
    for round in ["both versions start on a new database", "the previous version starts on this one's schema"] {
        let person = fleet.customer().await.unwrap();
        for orders in orders {
            for payments in payments {
                let order = buy(&fleet, &person, orders, payments).await;
                cancel(&person, orders, &order).await;
                buy(&fleet, &person, orders, payments).await;
            }
        }
        // An event type unknown to the previous version goes to queues of its own, independent of its publisher.
        for users in users {
            let leaving = fleet.customer().await.unwrap();
            let order = leaving.at(&orders[1]).place(&[(1, 1)]).await;
            let admin = fleet.admin().await.unwrap();
            let deleted = admin.at(users).delete(&format!("/api/users/{}", leaving.id)).await.unwrap();
            assert_eq!(deleted.status / 100, 2, "{:#}", deleted.body);
            until("the order of a deleted account is cancelled", || async {
                (admin.order(&order).await["status"] == "cancelled").then_some(())
            })
            .await;
        }
        assert_nothing_is_lost(&fleet).await;
        for instance in fleet.processes().unwrap().services().skip(at.len()) {
            let mut instance = instance.lock().await;
            assert_eq!(instance.stop().await.unwrap(), Some(0), "{round}");
            instance.start_until_ready().await.unwrap();
        }
    }
}

#[expect(clippy::print_stderr, reason = "a skipped test must be visible")]
fn skipped() {
    eprintln!("skipped: PREVIOUS_BINARIES names no folder; `make proof` builds it");
}
