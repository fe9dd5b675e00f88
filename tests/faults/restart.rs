//! Repeated kills and restarts of a fleet on the same data.

use serde_json::Value;
use testkit::fleet::{ApiClient, ClientExt as _, Fleet, ResponseExt as _, until_outboxes_empty};

/// Number of kills: few by default, `KILLS` in `make proof`.
fn kills() -> usize {
    std::env::var("KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(3)
}

/// Customers place orders while the fleet is killed; orders accepted before a kill must exist after it.
#[tokio::test(flavor = "multi_thread")]
async fn accepted_orders_survive_a_kill() {
    let fleet = Fleet::start().await.unwrap();
    let person = fleet.customer().await.unwrap();
    let before = person.stock(1).await;
    let mut accepted: Vec<Value> = Vec::new();

    for round in 0..kills() {
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let buyers: Vec<_> = (0..4).map(|_| tokio::spawn(buy(person.clone(), sender.clone()))).collect();
        drop(sender);
        // A different number of orders per round, so that the kill happens at another moment.
        for _ in 0..=round % 5 {
            accepted.push(receiver.recv().await.expect("an order"));
        }
        fleet.kill().await.unwrap();
        for buyer in buyers {
            buyer.await.expect("a buyer stops with the fleet");
        }
        while let Ok(order) = receiver.try_recv() {
            accepted.push(order);
        }
        fleet.up().await.unwrap();
    }

    until_outboxes_empty(&fleet).await;
    for order in &accepted {
        let now = person.order(order).await;
        assert_eq!((&now["order_number"], &now["total_amount"]), (&order["order_number"], &order["total_amount"]));
    }
    // Orders committed without a response exist too: each order holds one piece, and nothing else does.
    let admin = fleet.admin().await.unwrap();
    let orders = admin.get("/api/orders?per_page=1").await.json(200)["total"].as_i64().unwrap();
    assert!(orders >= i64::try_from(accepted.len()).unwrap());
    let held = before - person.stock(1).await;
    assert!(held >= orders, "{orders} orders hold {held} pieces");

    let order = person.place(&[(2, 1)]).await;
    let payment = person.pay(&order).await;
    let _ = fleet.charge(&payment, "pm_card_visa").await.json(200);
    person.until_order(&order, "confirmed", "completed").await;
    let (kills, accepted) = (kills(), accepted.len());
    println!(
        "{kills} kills while orders were placed: {accepted} orders accepted, {orders} exist, 0 lost, 0 events pending"
    );
}

/// Places orders until the fleet is unavailable.
async fn buy(person: ApiClient, accepted: tokio::sync::mpsc::UnboundedSender<Value>) {
    loop {
        let form = person.order_form(&[(1, 1)]);
        let Ok(response) = person.request(reqwest::Method::POST, "/api/orders").json(&form).send().await else {
            return;
        };
        if response.status() != 201 {
            return;
        }
        let Ok(order) = response.json().await else { return };
        if accepted.send(order).is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn pending_event_is_delivered_after_a_kill() {
    let fleet = Fleet::start().await.unwrap();
    let person = fleet.customer().await.unwrap();
    for _ in 0..kills() {
        let before = person.stock(1).await;
        let order = person.place(&[(1, 2)]).await;
        let path = format!("/api/orders/{}/cancel", order["id"].as_str().unwrap());
        let cancelled = person.request(reqwest::Method::POST, &path).send().await.unwrap();
        assert_eq!(cancelled.status(), 200);
        fleet.kill().await.unwrap();
        fleet.up().await.unwrap();
        person.until_stock(1, before).await;
    }
    println!("{} kills after an accepted cancellation: the stock was released each time", kills());
}

#[tokio::test]
async fn graceful_shutdown_leaves_no_run_file() {
    let fleet = Fleet::start().await.unwrap();
    let person = fleet.customer().await.unwrap();
    let order = person.place(&[(1, 1)]).await;
    assert_eq!(fleet.stop().await.unwrap().code(), Some(0));
    assert!(!fleet.data_dir().unwrap().join("run.json").exists());
    fleet.up().await.unwrap();
    let again = person.order(&order).await;
    assert_eq!(again["id"], order["id"]);
}
