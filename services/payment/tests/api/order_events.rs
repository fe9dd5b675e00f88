//! Consumption of `order.cancelled`.

use serde_json::json;
use testkit::ResponseExt as _;

use crate::support::{Fleet, intent_id, payment_id};

#[tokio::test]
async fn cancelled_order_cancels_its_open_payment() {
    let fleet = Fleet::start().await;
    let (order, _, started) = fleet.started().await;
    fleet.cancel_order(order).await;
    fleet.reconcile().await;
    assert_eq!(fleet.payment(payment_id(&started)).await["status"], "cancelled");
    assert_eq!(fleet.intent(intent_id(&started)).await["status"], "canceled");
    assert_eq!(fleet.event_kinds(order).await, ["payment.created", "payment.cancelled"]);
}

#[tokio::test]
async fn cancelled_order_is_refunded() {
    let fleet = Fleet::start().await;
    let (order, _, paid) = fleet.paid().await;
    fleet.refund(&paid, Some(json!({"amount": 30}))).await.json(200);
    fleet.cancel_order(order).await;
    fleet.cancel_order(order).await;
    fleet.reconcile().await;
    let payment = fleet.payment(&paid).await;
    assert_eq!((&payment["status"], &payment["refunded_amount"]), (&json!("refunded"), &json!(100.0)));
    let listed: Vec<_> =
        payment["refunds"].as_array().unwrap().iter().map(|one| (&one["amount"], &one["cause"])).collect();
    assert_eq!(listed, [(&json!(30.0), &json!("granted")), (&json!(70.0), &json!("cancelled"))]);
    let events = fleet.events(order).await;
    let totals: Vec<_> = events.iter().filter(|(kind, _)| kind == "payment.refunded").collect();
    assert_eq!(totals.len(), 2);
    assert_eq!(totals[1].1["refunded_total"], json!(100.0));
    assert_eq!((&totals[1].1["cause"], &totals[1].1["refund_amount"]), (&json!("cancelled"), &json!(70.0)));
    assert!(totals[0].1["actor"].is_object() && totals[1].1.get("actor").is_none());
}

#[tokio::test]
async fn late_capture_of_a_cancelled_order_is_refunded() {
    let fleet = Fleet::start().await;
    let (order, _, started) = fleet.started().await;
    fleet.cancel_order(order).await;
    // The customer pays before the cancellation of the intent.
    fleet.pay_as_customer(&started, "pm_card_visa").await.json(200);
    let payment = fleet.until_status(payment_id(&started), "refunded").await;
    assert_eq!(payment["refunds"][0]["cause"], "late");
    assert_eq!(fleet.event_kinds(order).await, ["payment.created", "payment.completed", "payment.refunded"]);
    assert_eq!(fleet.events(order).await[1].1["counts"], false);
}
