//! Whether goods and money agree once nothing is in flight.

use serde_json::Value;

use super::load::Left;
use super::{Fleet, until};

/// What was compared.
#[derive(Debug)]
pub struct Balance {
    /// Orders that exist, with those whose placing was never answered.
    pub orders: usize,
    /// Those of them that are cancelled.
    pub cancelled: usize,
    /// Those of them that stand and are paid.
    pub paid: usize,
}

impl Fleet {
    /// Waits until no event waits anywhere, then checks that what a load left stands and agrees: orders of one piece each
    /// of a product of which `before` pieces were there.
    ///
    /// # Panics
    /// If an order is lost, or goods or money do not agree.
    pub async fn balance(&self, left: &Left, product: i64, before: i64) -> Balance {
        self.until_no_event_waits().await;
        let admin = self.admin().await;
        // Reservations whose order was never written are given back when they expire.
        let orders = until("goods and orders agree", || async {
            let orders = self.all_orders(&admin).await;
            let standing = orders.iter().filter(|order| order["status"] != "cancelled").count();
            let held = before - admin.stock(product).await;
            (i64::try_from(standing).ok() == Some(held)).then_some(orders)
        })
        .await;
        let find = |id: &str| orders.iter().find(|order| order["id"] == id);
        for order in &left.orders {
            let now = find(order["id"].as_str().unwrap_or_default()).expect("an accepted order stands");
            assert_eq!((&now["order_number"], &now["total_amount"]), (&order["order_number"], &order["total_amount"]));
        }
        for id in &left.cancelled {
            assert_eq!(find(id).map(|order| &order["status"]), Some(&Value::from("cancelled")), "{id}");
        }
        for order in &orders {
            let wanted = match (order["status"].as_str(), order["id"].as_str()) {
                (Some("cancelled"), _) => &["pending", "failed", "refunded"][..],
                (_, Some(id)) if left.charged.iter().any(|charged| charged == id) => &["completed"],
                _ => &["pending", "failed", "completed"],
            };
            let id = order["id"].as_str().unwrap_or_default();
            until(&format!("the money of order {id} is one of {wanted:?}"), || async {
                let order = admin.get(&format!("/api/orders/{id}")).await.expect(200);
                let status = order["payment_status"].as_str().unwrap_or_default();
                let agrees = (status == "completed") == (order["status"] == "confirmed");
                (wanted.contains(&status) && agrees).then_some(())
            })
            .await;
        }
        self.until_no_event_waits().await;
        let orders = self.all_orders(&admin).await;
        Balance {
            orders: orders.len(),
            cancelled: orders.iter().filter(|order| order["status"] == "cancelled").count(),
            paid: orders.iter().filter(|order| order["status"] == "confirmed").count(),
        }
    }

    /// Waits until the outbox of each service is empty.
    pub async fn until_no_event_waits(&self) {
        let service = self.service().await;
        for (name, url) in &self.run.services {
            let service = service.at(url);
            until(&format!("an empty outbox of the {name}"), || async {
                (service.get("/ops/outbox").await.expect(200)["pending"] == 0).then_some(())
            })
            .await;
        }
    }

    async fn all_orders(&self, admin: &super::Person) -> Vec<Value> {
        let mut orders = Vec::new();
        for page in 1.. {
            let answer = admin.get(&format!("/api/orders?per_page=100&page={page}")).await.expect(200);
            orders.extend(answer["orders"].as_array().expect("a list").iter().cloned());
            if answer["pages"].as_i64().unwrap_or_default() <= page {
                break;
            }
        }
        orders
    }
}
