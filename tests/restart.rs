//! A fleet that is killed, again and again, and started on the same data.

use serde_json::Value;
use testkit::fleet::{Fleet, Person};

/// How often it is killed: few times in the gate, `KILLS` in `make proof`.
fn kills() -> usize {
    std::env::var("KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(3)
}

/// Customers place, pay and cancel while the fleet is killed; what was answered before the kill must stand after it.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_survives_a_kill() {
    let fleet = Fleet::start().await;
    let person = fleet.customer().await;
    let before = person.stock(1).await;
    let mut accepted: Vec<Value> = Vec::new();

    for round in 0..kills() {
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let buyers: Vec<_> = (0..4).map(|_| tokio::spawn(buy(person.clone(), sender.clone()))).collect();
        drop(sender);
        // Another number of orders each round, so that the kill strikes at another moment.
        for _ in 0..=round % 5 {
            accepted.push(receiver.recv().await.expect("an order"));
        }
        fleet.kill().await;
        for buyer in buyers {
            buyer.await.expect("a buyer ends when the fleet does");
        }
        while let Ok(order) = receiver.try_recv() {
            accepted.push(order);
        }
        fleet.up().await;
    }

    fleet.until_no_event_waits().await;
    for order in &accepted {
        let now = person.order(order).await;
        assert_eq!((&now["order_number"], &now["total_amount"]), (&order["order_number"], &order["total_amount"]));
    }
    // Orders that were written but not answered stand too: all that exist hold one piece each, and nothing else does.
    let admin = fleet.admin().await;
    let orders = admin.get("/api/orders?per_page=1").await.expect(200)["total"].as_i64().unwrap();
    assert!(orders >= i64::try_from(accepted.len()).unwrap());
    let held = before - person.stock(1).await;
    assert!(held >= orders, "{orders} orders hold {held} pieces");

    let order = person.place(&[(2, 1)]).await;
    let payment = person.pay(&order).await;
    let _ = fleet.charge(&payment, "pm_card_visa").await.expect(200);
    person.until_order(&order, "confirmed", "completed").await;
    let (kills, accepted) = (kills(), accepted.len());
    println!(
        "{kills} kills while orders were placed: {accepted} orders accepted, {orders} stand, 0 lost, 0 events wait"
    );
}

/// Places orders until the fleet is gone.
async fn buy(person: Person, accepted: tokio::sync::mpsc::UnboundedSender<Value>) {
    loop {
        let form = person.order_form(&[(1, 1)]);
        let Ok(answer) = person.request(reqwest::Method::POST, "/api/orders").json(&form).send().await else { return };
        if answer.status() != 201 {
            return;
        }
        let Ok(order) = answer.json().await else { return };
        if accepted.send(order).is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn an_event_that_waits_when_the_fleet_is_killed_is_delivered_after_it() {
    let fleet = Fleet::start().await;
    let person = fleet.customer().await;
    for _ in 0..kills() {
        let before = person.stock(1).await;
        let order = person.place(&[(1, 2)]).await;
        let path = format!("/api/orders/{}/cancel", order["id"].as_str().unwrap());
        let cancelled = person.request(reqwest::Method::POST, &path).send().await.unwrap();
        assert_eq!(cancelled.status(), 200);
        fleet.kill().await;
        fleet.up().await;
        person.until_stock(1, before).await;
    }
    println!("{} kills after a cancellation was answered: the goods came back each time", kills());
}

#[tokio::test]
async fn a_fleet_that_is_asked_to_end_leaves_nothing_behind() {
    let fleet = Fleet::start().await;
    let person = fleet.customer().await;
    let order = person.place(&[(1, 1)]).await;
    assert_eq!(fleet.stop().await.code(), Some(0));
    assert!(!fleet.data_dir().join("run.json").exists());
    fleet.up().await;
    let again = person.order(&order).await;
    assert_eq!(again["id"], order["id"]);
}
