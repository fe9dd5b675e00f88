//! Limits on the unpaid orders of a customer

use contracts::{Scope, UserId};
use futures::future::join_all;
use serde_json::{Value, json};
use testkit::{ResponseExt as _, eventually};

use crate::support::{TIMEOUT, TestApp, path};

const LIMITS: &[(&str, &str)] = &[("MAX_UNPAID_ORDERS", "3"), ("MAX_UNPAID_PIECES", "10")];

fn pieces(user: UserId, product: i64, quantity: i64) -> Value {
    let mut form = TestApp::form(user);
    form["items"] = json!([{"product_id": product, "quantity": quantity}]);
    form
}

/// Waits until only existing orders hold stock.
async fn until_released(app: &TestApp, orders: usize) {
    eventually("the stock of rejected orders is released", TIMEOUT, || async {
        (app.stub_services.state().reservations.len() == orders).then_some(())
    })
    .await;
}

#[tokio::test]
async fn unpaid_orders_of_a_customer_are_limited() {
    let app = TestApp::with(LIMITS).await;
    let user = app.user();
    let token = app.token(user);
    let mut orders = Vec::new();
    for _ in 0..3 {
        orders.push(app.place(user).await);
    }
    let rejected = app.post("/api/orders", &token, TestApp::form(user)).await.problem(409, "TOO_MANY_UNPAID_ORDERS");
    assert!(rejected["detail"].as_str().unwrap().contains('3'), "{rejected}");
    assert_eq!(app.stub_services.state().reservations.len(), 3, "nothing was reserved for the rejected order");
    app.place(app.user()).await;
    for token in [app.admin(), app.service_with(&[Scope::OrdersPlace])] {
        let order = app.post("/api/orders", &token, TestApp::form(user)).await.json(201);
        app.post(&format!("{}/cancel", path(&order)), &app.admin(), json!({})).await.json(200);
    }
    app.pay(&orders[0]).await;
    app.place(user).await;
    app.post(&format!("{}/cancel", path(&orders[1])), &token, json!({})).await.json(200);
    app.place(user).await;
    app.post("/api/orders", &token, TestApp::form(user)).await.problem(409, "TOO_MANY_UNPAID_ORDERS");
}

#[tokio::test]
async fn unpaid_pieces_of_a_customer_are_limited() {
    let app = TestApp::with(LIMITS).await;
    let user = app.user();
    let token = app.token(user);
    app.post("/api/orders", &token, pieces(user, 1, 11)).await.problem(409, "TOO_MANY_UNPAID_PIECES");
    let first = app.post("/api/orders", &token, pieces(user, 1, 8)).await.json(201);
    app.post("/api/orders", &token, pieces(user, 1, 3)).await.problem(409, "TOO_MANY_UNPAID_PIECES");
    app.post("/api/orders", &token, pieces(user, 1, 2)).await.json(201);
    app.pay(&first).await;
    app.post("/api/orders", &token, pieces(user, 1, 8)).await.json(201);
}

#[tokio::test]
async fn products_and_stock_are_reported_before_limits() {
    let app = TestApp::with(&[("MAX_UNPAID_ORDERS", "1"), ("MAX_UNPAID_PIECES", "4")]).await;
    let user = app.user();
    let token = app.token(user);
    app.place(user).await;
    app.post("/api/orders", &token, pieces(user, 99, 1)).await.problem(400, "PRODUCT_NOT_FOUND");
    let short = app.post("/api/orders", &token, pieces(user, 2, 6)).await.problem(400, "INSUFFICIENT_STOCK");
    assert_eq!(short["shortages"], json!([{"product_id": 2, "requested": 6, "available": 5}]));
    app.post("/api/orders", &token, pieces(user, 2, 5)).await.problem(409, "TOO_MANY_UNPAID_ORDERS");
}

#[tokio::test]
async fn concurrent_requests_do_not_exceed_a_limit() {
    for (settings, code) in [
        ([("MAX_UNPAID_ORDERS", "3"), ("MAX_UNPAID_PIECES", "0")], "TOO_MANY_UNPAID_ORDERS"),
        ([("MAX_UNPAID_ORDERS", "0"), ("MAX_UNPAID_PIECES", "7")], "TOO_MANY_UNPAID_PIECES"),
    ] {
        let app = TestApp::with(&settings).await;
        let user = app.user();
        let (token, form) = (app.token(user), TestApp::form(user));
        let replies = join_all((0..50).map(|_| app.post("/api/orders", &token, form.clone()))).await;
        let placed = replies.iter().filter(|reply| reply.status == 201).count();
        assert!((1..=3).contains(&placed), "{settings:?}: {placed}");
        // A request without a free database connection fails with 503 and leaves the rest of the limit unused.
        for reply in replies.into_iter().filter(|reply| !matches!(reply.status, 201 | 503)) {
            reply.problem(409, code);
        }
        let last = loop {
            let reply = app.post("/api/orders", &token, form.clone()).await;
            if reply.status != 201 {
                break reply;
            }
        };
        last.problem(409, code);
        assert_eq!(app.get("/api/orders", &token).await.json(200)["total"], 3, "{settings:?}");
        until_released(&app, 3).await;
    }
}

#[tokio::test]
async fn rejected_order_does_not_consume_its_key() {
    let app = TestApp::with(LIMITS).await;
    let user = app.user();
    let (token, form) = (app.token(user), pieces(user, 1, 8));
    let first = app.post("/api/orders", &token, form.clone()).await.json(201);
    app.post_keyed("/api/orders", &token, "k", &form).await.problem(409, "TOO_MANY_UNPAID_PIECES");
    app.post(&format!("{}/cancel", path(&first)), &token, json!({})).await.json(200);
    app.post_keyed("/api/orders", &token, "k", &form).await.json(201);
}
