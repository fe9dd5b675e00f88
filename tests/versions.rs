//! The version before beside this one, on the same databases and the same broker, as during a rolling update.
//!
//! `tests/build-previous` builds it, and `PREVIOUS_BINARIES` names the folder of its binaries.

#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect fails")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};
use testkit::fleet::{Fleet, Person, until};

/// The addresses of the instances of each service: of this version, and of the one before.
async fn instances(fleet: &Fleet) -> BTreeMap<String, Vec<String>> {
    let mut instances: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for instance in fleet.processes().services() {
        let instance = instance.lock().await;
        instances.entry(instance.name.clone()).or_default().push(instance.url.clone());
    }
    instances
}

/// Places an order at one instance, pays it at another, and gives the money back by the first.
async fn buy(fleet: &Fleet, person: &Person, orders: &str, payments: &str) -> Value {
    let order = person.at(orders).place(&[(1, 1)]).await;
    let payment = person.at(payments).pay(&order).await;
    let _ = fleet.charge(&payment, "pm_card_visa").await.expect(200);
    person.at(orders).until_order(&order, "confirmed", "completed").await
}

async fn cancel(person: &Person, orders: &str, order: &Value) {
    let path = format!("/api/orders/{}/cancel", order["id"].as_str().unwrap());
    let _ = person.at(orders).post(&path, &json!({})).await.expect(200);
    person.until_order(order, "cancelled", "refunded").await;
}

/// Nothing waits in an outbox, and nothing was given up.
async fn assert_nothing_is_lost(fleet: &Fleet) {
    let service = fleet.service().await;
    for (name, urls) in instances(fleet).await {
        until(&format!("the outbox of the {name} is empty"), || async {
            let state = service.at(&urls[0]).get("/ops/outbox").await.expect(200);
            (state["pending"] == 0).then_some(())
        })
        .await;
    }
    let listed = fleet.command(&["dlq", "list"]).output().unwrap();
    let told = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.status.success(), "{told}");
    assert!(told.contains("0 dead letters"), "{told}");
    let audit = fleet.command(&["audit"]).output().unwrap();
    assert!(audit.status.success(), "{}", String::from_utf8_lossy(&audit.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_before_runs_beside_this_one() {
    let Some(previous) = std::env::var_os("PREVIOUS_BINARIES").map(PathBuf::from) else { return skipped() };
    let Some(fleet) = Fleet::beside(&previous).await else { return };
    let at = instances(&fleet).await;
    let (orders, payments, users) = (&at["order-service"], &at["payment-service"], &at["user-service"]);
    for round in ["both start on a new database", "the version before starts on this one's schema"] {
        let person = fleet.customer().await;
        for orders in orders {
            for payments in payments {
                let order = buy(&fleet, &person, orders, payments).await;
                cancel(&person, orders, &order).await;
                buy(&fleet, &person, orders, payments).await;
            }
        }
        // A kind that the version before does not hear goes to queues of their own, whoever publishes it.
        for users in users {
            let leaving = fleet.customer().await;
            let order = leaving.at(&orders[1]).place(&[(1, 1)]).await;
            let admin = fleet.admin().await;
            let deleted = admin.at(users).delete(&format!("/api/users/{}", leaving.id)).await;
            assert_eq!(deleted.status / 100, 2, "{:#}", deleted.body);
            until("the order of a deleted account is cancelled", || async {
                (admin.order(&order).await["status"] == "cancelled").then_some(())
            })
            .await;
        }
        assert_nothing_is_lost(&fleet).await;
        for instance in fleet.processes().services().skip(at.len()) {
            let mut instance = instance.lock().await;
            assert_eq!(instance.stop().await, Some(0), "{round}");
            instance.revive().await;
        }
    }
}

#[expect(clippy::print_stderr, reason = "whoever reads the tests' output is told what was not tried")]
fn skipped() {
    eprintln!("skipped: PREVIOUS_BINARIES names no folder; `make proof` builds it");
}
