//! `GET /api/orders/summary`

use reqwest::Method;
use serde_json::{Value, json};
use testkit::ResponseExt as _;

use crate::support::{TestApp, path};

async fn summary(app: &TestApp, query: &str) -> Value {
    app.get(&format!("/api/orders/summary{query}"), &app.admin()).await.json(200)
}

/// Returns a summary with these numbers of placed, confirmed, shipped, delivered, cancelled and open orders.
fn numbers([placed, confirmed, shipped, delivered, cancelled, open]: [i64; 6], revenue: f64, refunded: f64) -> Value {
    json!({
        "placed": placed, "confirmed": confirmed, "shipped": shipped, "delivered": delivered, "cancelled": cancelled,
        "revenue": revenue, "refunded": refunded, "open": open,
    })
}

#[tokio::test]
async fn orders_count_in_the_period_of_their_placement_and_of_their_shipment() {
    let app = TestApp::start().await;
    assert_eq!(summary(&app, "").await, numbers([0; 6], 0.0, 0.0));
    let (_, delivered) = app.placed().await;
    app.advance(10);
    let (_, refunded) = app.placed().await;
    let (payment, _) = app.pay(&refunded).await;
    app.publish(&[app.refunded(&refunded, payment, 1_001, 1_001)]).await;
    app.until(&refunded, "the refund is known", |order| order["payments"][0]["refunded_amount"] == json!(10.01)).await;
    app.placed_in("cancelled").await;
    app.advance(10);
    for status in ["confirmed", "processing", "shipped"] {
        app.put(&path(&delivered), &app.admin(), json!({"status": status})).await.json(200);
    }
    app.advance(10);
    let delivered = app.put(&path(&delivered), &app.admin(), json!({"status": "delivered"})).await.json(200);
    let placed_at = |order: &Value| order["created_at"].as_str().unwrap().to_owned();
    let (first, second) = (placed_at(&delivered), placed_at(&refunded));
    let (shipped, end) = (delivered["shipped_at"].as_str().unwrap(), delivered["delivered_at"].as_str().unwrap());

    assert_eq!(summary(&app, "").await, numbers([3, 2, 1, 1, 1, 1], 74.77, 10.01));
    let before = summary(&app, &format!("?from={first}&to={second}")).await;
    assert_eq!(before, numbers([1, 1, 0, 0, 0, 0], 0.0, 0.0));
    let middle = summary(&app, &format!("?from={second}&to={shipped}")).await;
    assert_eq!(middle, numbers([2, 1, 0, 0, 1, 1], 74.77, 10.01));
    assert_eq!(summary(&app, &format!("?from={shipped}&to={end}")).await, numbers([0, 0, 1, 0, 0, 0], 0.0, 0.0));
    assert_eq!(summary(&app, &format!("?from={end}")).await, numbers([0, 0, 0, 1, 0, 0], 0.0, 0.0));
    assert_eq!(summary(&app, "?to=2020-01-01T00:00:00%2B02:00").await, numbers([0; 6], 0.0, 0.0));
}

#[tokio::test]
async fn summary_is_for_admins_only() {
    let app = TestApp::start().await;
    let (user, _) = app.placed().await;
    app.send(Method::GET, "/api/orders/summary", None, None).await.problem(401, "UNAUTHENTICATED");
    for token in [app.token(user), app.service()] {
        app.get("/api/orders/summary", &token).await.problem(403, "FORBIDDEN");
    }
}

#[tokio::test]
async fn invalid_parameter_is_reported_with_its_name() {
    let app = TestApp::start().await;
    for (query, field) in [
        ("from=yesterday", "from"),
        ("to=2026-01-31", "to"),
        ("from=2026-01-31T00:00:00Z&to=2026-01-30T00:00:00Z", "to"),
        ("from=%zz", "from"),
        ("to=2026-01-31T00:00:00Z&to=2026-01-31T00:00:00Z", "to"),
    ] {
        app.get(&format!("/api/orders/summary?{query}"), &app.admin()).await.invalid(400, &[field]);
    }
    assert_eq!(summary(&app, "?unknown=1&from=").await, numbers([0; 6], 0.0, 0.0));
}
