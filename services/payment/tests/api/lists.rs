//! `GET /api/payments`, `GET /api/refunds` and `GET /api/payments/summary`

use chrono::{Duration, SecondsFormat};
use common::telemetry::clock::Clock as _;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::ResponseExt as _;

use crate::support::{Fleet, payment_id};

/// Orders of 100.00 each, a second apart: refunded in part, declined, refunded, open.
struct Shop {
    fleet: Fleet,
    /// Ids of the payments, oldest first.
    ids: Vec<String>,
    /// Order of the open payment.
    open_order: String,
}

async fn shop() -> Shop {
    let fleet = Fleet::start().await;
    let (_, _, partly) = fleet.paid().await;
    fleet.refund(&partly, Some(json!({"amount": 30, "reason": "scratched"}))).await.json(200);
    fleet.advance(1);
    let (_, _, declined) = fleet.started().await;
    assert_eq!(fleet.pay_as_customer(&declined, "pm_card_chargeDeclined").await.status, 402);
    let declined = payment_id(&declined).to_owned();
    fleet.until_status(&declined, "failed").await;
    fleet.advance(1);
    let (_, _, refunded) = fleet.paid().await;
    fleet.refund(&refunded, None).await.json(200);
    fleet.advance(1);
    let (order, _, open) = fleet.started().await;
    let open = payment_id(&open).to_owned();
    Shop { fleet, ids: vec![partly, declined, refunded, open], open_order: order.to_string() }
}

impl Shop {
    async fn get(&self, path: &str) -> Value {
        self.fleet.get(path, &self.fleet.admin()).await.json(200)
    }

    async fn payments(&self, query: &str) -> Vec<String> {
        ids(&self.get(&format!("/api/payments?{query}")).await["payments"])
    }
}

fn ids(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn payments_are_listed_newest_first_with_filters() {
    let shop = shop().await;
    let [partly, declined, refunded, open] = &shop.ids[..] else { unreachable!() };
    let page = shop.get("/api/payments").await;
    assert_eq!(ids(&page["payments"]).iter().collect::<Vec<_>>(), [open, refunded, declined, partly]);
    assert_eq!(page["payments"][3], shop.fleet.payment(partly).await, "complete payments");
    let position = json!([page["total"], page["page"], page["pages"], page["per_page"], page["next"]]);
    assert_eq!(position, json!([4, 1, 1, 20, null]));
    let time = |seconds| {
        let first = shop.fleet.clock.now() - Duration::seconds(3);
        (first + Duration::seconds(seconds)).to_rfc3339_opts(SecondsFormat::Millis, true)
    };
    for (query, expected) in [
        ("status=completed".to_owned(), vec![partly]),
        ("status=refunded".to_owned(), vec![refunded]),
        ("status=failed".to_owned(), vec![declined]),
        ("status=pending".to_owned(), vec![open]),
        ("status=cancelled".to_owned(), vec![]),
        ("method=card".to_owned(), vec![open, refunded, declined, partly]),
        ("method=paypal".to_owned(), vec![]),
        (format!("order_id={}", shop.open_order), vec![open]),
        (format!("from={}&to={}", time(1), time(3)), vec![refunded, declined]),
        (format!("from={}&status=refunded&method=card&unknown=1", time(2)), vec![refunded]),
        ("status=&page=".to_owned(), vec![open, refunded, declined, partly]),
    ] {
        assert_eq!(shop.payments(&query).await, expected.into_iter().cloned().collect::<Vec<_>>(), "{query}");
    }
}

#[tokio::test]
async fn pages_by_number_and_after_a_row_contain_the_same_payments() {
    let shop = shop().await;
    let first = shop.get("/api/payments?per_page=3").await;
    assert_eq!(json!([first["total"], first["page"], first["pages"]]), json!([4, 1, 2]));
    let second = shop.get("/api/payments?per_page=3&page=2").await;
    assert_eq!((ids(&second["payments"]).as_slice(), &second["next"]), (&shop.ids[..1], &Value::Null));
    let next = first["next"].as_str().unwrap();
    assert_eq!(next, shop.ids[1]);
    let after = shop.get(&format!("/api/payments?per_page=3&after={next}")).await;
    assert_eq!(after["payments"], second["payments"]);
    let keys: Vec<_> = after.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["next", "payments", "per_page"]);
    assert_eq!(shop.payments("page=9223372036854775807").await, Vec::<String>::new());
}

#[tokio::test]
async fn refunds_are_listed_newest_first_with_filters() {
    let shop = shop().await;
    let page = shop.get("/api/refunds").await;
    let listed = page["refunds"].as_array().unwrap();
    assert_eq!((listed.len(), &page["total"], &page["per_page"]), (2, &json!(2), &json!(20)));
    let payment = shop.fleet.payment(&shop.ids[0]).await;
    let mut expected = payment["refunds"][0].clone();
    expected["payment_id"] = payment["id"].clone();
    expected["order_id"] = payment["order_id"].clone();
    assert_eq!(listed[1], expected);
    assert_eq!((&listed[1]["actor"]["type"], &listed[1]["cause"]), (&json!("admin"), &json!("granted")));
    let count = async |query: &str| {
        let page = shop.get(&format!("/api/refunds?{query}")).await;
        page["refunds"].as_array().unwrap().len()
    };
    assert_eq!(count("status=succeeded&cause=granted").await, 2);
    assert_eq!(count("status=failed").await, 0);
    assert_eq!(count("cause=late").await, 0);
    assert_eq!(count(&format!("per_page=1&after={}", listed[0]["id"].as_str().unwrap())).await, 1);
    let to = listed[0]["created_at"].as_str().unwrap();
    assert_eq!(count(&format!("to={to}")).await, 1);
    assert_eq!(count(&format!("from={to}")).await, 1);
}

#[tokio::test]
async fn summary_adds_up_a_period() {
    let shop = shop().await;
    let all = json!({"captured": 200.0, "refunded": 130.0, "open": 1, "failed": 1, "awaiting": 0.0});
    assert_eq!(shop.get("/api/payments/summary").await, all);
    let to = shop.fleet.payment(&shop.ids[1]).await["created_at"].as_str().unwrap().to_owned();
    let first = json!({"captured": 100.0, "refunded": 30.0, "open": 0, "failed": 0, "awaiting": 0.0});
    assert_eq!(shop.get(&format!("/api/payments/summary?to={to}")).await, first);
    let rest = json!({"captured": 100.0, "refunded": 100.0, "open": 1, "failed": 1, "awaiting": 0.0});
    assert_eq!(shop.get(&format!("/api/payments/summary?from={to}")).await, rest);
    let none = json!({"captured": 0.0, "refunded": 0.0, "open": 0, "failed": 0, "awaiting": 0.0});
    assert_eq!(shop.get("/api/payments/summary?to=2020-01-01T00:00:00%2B02:00").await, none);
}

#[tokio::test]
async fn refund_that_waits_for_a_person_is_awaiting() {
    let fleet = Fleet::start().await;
    let (order, _, started) = fleet.started().await;
    fleet.confirm(payment_id(&started), "cash-1").await.json(200);
    fleet.cancel_order(order).await;
    fleet.reconcile().await;
    let summary = fleet.get("/api/payments/summary", &fleet.admin()).await.json(200);
    assert_eq!((&summary["awaiting"], &summary["refunded"]), (&json!(100.0), &json!(0.0)));
    let pending = fleet.get("/api/refunds?status=pending&cause=cancelled", &fleet.admin()).await.json(200);
    let refund = pending["refunds"][0]["id"].as_str().unwrap();
    fleet.post(&format!("/api/refunds/{refund}/settle"), &fleet.admin(), json!({})).await.json(200);
    let summary = fleet.get("/api/payments/summary", &fleet.admin()).await.json(200);
    assert_eq!((&summary["awaiting"], &summary["refunded"]), (&json!(0.0), &json!(100.0)));
}

#[tokio::test]
async fn lists_are_for_admins_only() {
    let fleet = Fleet::start().await;
    let (_, user, _) = fleet.started().await;
    for path in ["/api/payments", "/api/refunds", "/api/payments/summary"] {
        fleet.send(Method::GET, path, None, None).await.problem(401, "UNAUTHENTICATED");
        fleet.get(path, &fleet.token(user)).await.problem(403, "FORBIDDEN");
        fleet.get(path, &fleet.service()).await.problem(403, "FORBIDDEN");
        fleet.get(path, &fleet.admin()).await.json(200);
    }
}

#[tokio::test]
async fn invalid_parameter_is_reported_with_its_name() {
    let fleet = Fleet::start().await;
    let unknown = "after=0190163d-8694-739b-aea5-966c26f8ad91";
    let both = [
        ("page=0", "page"),
        ("page=x", "page"),
        ("per_page=0", "per_page"),
        ("per_page=101", "per_page"),
        ("after=7", "after"),
        (unknown, "after"),
        ("page=1&after=0190163d-8694-739b-aea5-966c26f8ad91", "page"),
        ("status=lost", "status"),
        ("from=yesterday", "from"),
        ("to=2026-01-31", "to"),
        ("from=2026-01-31T00:00:00Z&to=2026-01-30T00:00:00Z", "to"),
    ];
    let payments = both.iter().chain(&[("method=cash", "method"), ("order_id=7", "order_id")]);
    let payments = payments.map(|(query, field)| ("/api/payments", query, field));
    let refunds = both.iter().chain(&[("cause=none", "cause")]).map(|(query, field)| ("/api/refunds", query, field));
    let period = both.iter().filter(|(query, _)| query.contains("from") || query.starts_with("to="));
    let summary = period.map(|(query, field)| ("/api/payments/summary", query, field));
    let mut checked = 0;
    for (path, query, field) in payments.chain(refunds).chain(summary) {
        fleet.get(&format!("{path}?{query}"), &fleet.admin()).await.invalid(400, &[field]);
        checked += 1;
    }
    assert_eq!(checked, 28);
}
