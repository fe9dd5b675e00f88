//! Invariants of stock and money once nothing is in flight.

use fleet_harness::{ApiClient, Fleet, LoadReport};
use serde_json::Value;

use super::{ClientExt as _, ResponseExt as _, until};

/// Number of orders compared.
#[derive(Debug)]
pub struct InvariantReport {
    /// All orders, including those whose placement never received a response.
    pub orders: usize,
    /// Cancelled orders.
    pub cancelled: usize,
    /// Paid orders.
    pub paid: usize,
}

/// Waits until all outboxes are empty, then checks that the orders of a load exist and that stock and money agree. Each
/// order has one piece of `product`, of which `before` pieces were available.
///
/// # Panics
/// If an order is lost, or stock or money do not agree.
pub async fn check_invariants(fleet: &Fleet, report: &LoadReport, product: i64, before: i64) -> InvariantReport {
    until_outboxes_empty(fleet).await;
    let admin = fleet.admin().await.expect("an admin");
    // Reservations whose orders were never committed are released when they expire.
    let orders = until("stock and orders to agree", || async {
        let orders = all_orders(&admin).await;
        let active = orders.iter().filter(|order| order["status"] != "cancelled").count();
        let held = before - admin.stock(product).await;
        (i64::try_from(active).ok() == Some(held)).then_some(orders)
    })
    .await;
    let find = |id: &str| orders.iter().find(|order| order["id"] == id);
    for order in &report.orders {
        let now = find(order["id"].as_str().unwrap_or_default()).expect("an accepted order exists");
        assert_eq!((&now["order_number"], &now["total_amount"]), (&order["order_number"], &order["total_amount"]));
    }
    for id in &report.cancelled {
        assert_eq!(find(id).map(|order| &order["status"]), Some(&Value::from("cancelled")), "{id}");
    }
    for order in &orders {
        let expected = match (order["status"].as_str(), order["id"].as_str()) {
            (Some("cancelled"), _) => &["pending", "failed", "refunded"][..],
            (_, Some(id)) if report.charged.iter().any(|charged| charged == id) => &["completed"],
            _ => &["pending", "failed", "completed"],
        };
        let id = order["id"].as_str().unwrap_or_default();
        until(&format!("the payment status of order {id} to be one of {expected:?}"), || async {
            let order = admin.get(&format!("/api/orders/{id}")).await.json(200);
            let status = order["payment_status"].as_str().unwrap_or_default();
            let agrees = (status == "completed") == (order["status"] == "confirmed");
            (expected.contains(&status) && agrees).then_some(())
        })
        .await;
    }
    until_outboxes_empty(fleet).await;
    let orders = all_orders(&admin).await;
    InvariantReport {
        orders: orders.len(),
        cancelled: orders.iter().filter(|order| order["status"] == "cancelled").count(),
        paid: orders.iter().filter(|order| order["status"] == "confirmed").count(),
    }
}

/// Waits until the outbox of each service is empty.
///
/// # Panics
/// After a minute.
pub async fn until_outboxes_empty(fleet: &Fleet) {
    let service = fleet.service().await.expect("a service token");
    for (name, url) in &fleet.run.services {
        let service = service.at(url);
        until(&format!("an empty outbox of the {name}"), || async {
            (service.get("/ops/outbox").await.json(200)["pending"] == 0).then_some(())
        })
        .await;
    }
}

async fn all_orders(admin: &ApiClient) -> Vec<Value> {
    let mut orders = Vec::new();
    for page in 1.. {
        let body = admin.get(&format!("/api/orders?per_page=100&page={page}")).await.json(200);
        orders.extend(body["orders"].as_array().expect("a list").iter().cloned());
        if body["pages"].as_i64().unwrap_or_default() <= page {
            break;
        }
    }
    orders
}
