//! Agreement of captured and refunded amounts with the provider, payment by payment, after failed calls.

use std::collections::HashMap;
use testkit::ResponseExt as _;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::proxy::ProviderFault;
use crate::support::{Fleet, payment_id};

const FAULTS: [ProviderFault; 5] = [
    ProviderFault::Down,
    ProviderFault::ResponseLost,
    ProviderFault::ServerError,
    ProviderFault::ServerErrorAfterExecution,
    ProviderFault::Respond(409, r#"{"error":{"type":"idempotency_error","message":"in use"}}"#),
];

async fn settle(fleet: &Fleet) {
    for _ in 0..6 {
        fleet.reconcile().await;
        fleet.advance(40);
    }
    fleet.reconcile().await;
}

async fn assert_agreement(fleet: &Fleet, orders: &[contracts::OrderId]) {
    let mut ours: HashMap<String, (i64, i64)> = HashMap::new();
    for order in orders {
        let path = format!("/api/payments/order/{order}");
        for payment in fleet.get(&path, &fleet.admin()).await.json(200).as_array().unwrap() {
            let captured_at_provider = payment["processed_at"].is_string();
            let cents = |value: &Value| value.to_string().parse::<contracts::Money>().unwrap().cents();
            let captured = if captured_at_provider { cents(&payment["amount"]) } else { 0 };
            let intent = payment["provider_transaction_id"].as_str();
            ours.insert(intent.unwrap_or_default().to_owned(), (captured, cents(&payment["refunded_amount"])));
        }
    }
    let mut form = vec![("limit", "100".to_owned())];
    loop {
        let query: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let page = fleet.stripe(Method::GET, "/v1/payment_intents", &query).await;
        for intent in page["data"].as_array().unwrap() {
            let id = intent["id"].as_str().unwrap();
            let refunds = fleet.stripe(Method::GET, "/v1/refunds", &[("payment_intent", id), ("limit", "100")]).await;
            let refunded = refunds["data"].as_array().unwrap().iter().map(|one| one["amount"].as_i64().unwrap()).sum();
            let theirs = (intent["amount_received"].as_i64().unwrap(), refunded);
            assert_eq!(ours.get(id).copied().unwrap_or_default(), theirs, "{intent}");
            assert!(["succeeded", "canceled"].contains(&intent["status"].as_str().unwrap()), "{intent}");
        }
        if page["has_more"] == false {
            break;
        }
        let last = page["data"].as_array().unwrap().last().unwrap()["id"].as_str().unwrap().to_owned();
        form.truncate(1);
        form.push(("starting_after", last));
    }
}

#[tokio::test]
async fn amounts_agree_with_the_provider_after_any_failure() {
    let fleet = Fleet::start().await;
    let mut orders = Vec::new();
    for fault in FAULTS {
        // Started, replaced, paid, partially refunded, cancelled; one call of each kind fails.
        let user = fleet.user();
        let order = fleet.order(user, 10_000);
        orders.push(order);
        fleet.proxy.inject("POST /v1/payment_intents", fault.clone());
        assert!(fleet.pay(order, user).await.status >= 500);
        fleet.proxy.inject("POST /v1/payment_intents/", fault.clone());
        let mut started = fleet.pay(order, user).await;
        for _ in 0..3 {
            if started.status != 201 {
                started = fleet.pay(order, user).await;
            }
        }
        let started = started.json(201);
        fleet.pay_as_customer(&started, "pm_card_visa").await.json(200);
        let id = payment_id(&started);
        fleet.until_status(id, "completed").await;
        fleet.proxy.inject("POST /v1/refunds", fault.clone());
        fleet.refund(id, Some(json!({"amount": 20}))).await.json(200);
        fleet.cancel_order(order).await;
        fleet.proxy.inject("POST /v1/refunds", fault.clone());
        fleet.proxy.inject("GET /v1/refunds", fault);
        fleet.reconcile().await;
    }
    settle(&fleet).await;
    assert_agreement(&fleet, &orders).await;
    for order in orders {
        let events = fleet.events(order).await;
        let (_, last) = events.iter().rfind(|(kind, _)| kind == "payment.refunded").unwrap();
        assert_eq!(last["refunded_total"], json!(100.0));
    }
}
