//! `user.deleted`

use common::runtime::NextRun;
use contracts::event::UserDeleted;
use contracts::{Event, UserId};
use serde_json::{Value, json};
use testkit::{ResponseExt as _, eventually};

use crate::support::{TIMEOUT, TestApp};

async fn delete(app: &TestApp, user: UserId) {
    app.publish(&[Event::UserDeleted(UserDeleted { user_id: user })]).await;
    eventually("the deletion is recorded", TIMEOUT, || async {
        let deleted = "SELECT count(*) FROM customers WHERE deleted_at IS NOT NULL";
        (app.database.number(deleted).await > 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn unpaid_orders_of_a_deleted_account_are_cancelled_and_paid_ones_stay() {
    let app = TestApp::start().await;
    let user = app.user();
    let (unpaid, paid, shipped) = (app.place(user).await, app.place(user).await, app.place(user).await);
    app.pay(&paid).await;
    for status in ["confirmed", "processing", "shipped"] {
        let path = format!("/api/orders/{}", shipped["id"].as_str().unwrap());
        app.put(&path, &app.admin(), json!({"status": status})).await.json(200);
    }
    let (_, other) = app.placed().await;
    delete(&app, user).await;
    let cancelled = app.until(&unpaid, "the order is cancelled", |order| order["status"] == "cancelled").await;
    assert_eq!(cancelled["notes"], "Cancellation reason: Account deleted");
    assert_eq!(cancelled["payment_due_at"], Value::Null);
    let (kind, data) = app.events(&unpaid).await.pop().unwrap();
    assert_eq!((kind.as_str(), &data["items"]), ("order.cancelled", &json!([{"product_id": 1, "quantity": 2}])));
    for (order, status) in [(&paid, "confirmed"), (&shipped, "shipped"), (&other, "pending")] {
        assert_eq!(app.order(order["id"].as_str().unwrap()).await["status"], status);
    }
    // A second message does not change cancelled orders.
    delete(&app, user).await;
    app.pay(&other).await;
    assert_eq!(app.event_kinds(&unpaid).await, ["order.created", "order.cancelled"]);
}

/// The token stays valid for some seconds, and the existence of the user may be cached or unknown.
#[tokio::test]
async fn deleted_account_cannot_place_orders() {
    let app = TestApp::start().await;
    let user = app.user();
    app.place(user).await;
    delete(&app, user).await;
    app.stub_services.state().users_unavailable = true;
    app.post("/api/orders", &app.token(user), TestApp::form(user)).await.problem(404, "USER_NOT_FOUND");
    eventually("the stock is released", TIMEOUT, || async {
        (app.stub_services.state().reservations.len() == 1).then_some(())
    })
    .await;
    app.stub_services.state().users_unavailable = false;
    app.stub_services.state().users.remove(&user);
    app.post("/api/orders", &app.admin(), TestApp::form(user)).await.problem(404, "USER_NOT_FOUND");
}

#[tokio::test]
async fn orders_of_a_deleted_account_are_found_by_their_number_alone() {
    let app = TestApp::start().await;
    let (user, order) = app.placed().await;
    app.pay(&order).await;
    let search = async |q: &str| app.get(&format!("/api/orders?q={q}"), &app.admin()).await.json(200)["total"].clone();
    assert_eq!(search("john+doe").await, json!(1));
    delete(&app, user).await;
    for (q, total) in [("john", 0), ("john%40example.com", 0), (order["order_number"].as_str().unwrap(), 1)] {
        assert_eq!(search(q).await, json!(total), "{q}");
    }
    assert_eq!(app.step("search-index").await, NextRun::OnWake, "no text is derived again");
    let texts = "SELECT search_text, order_number FROM orders WHERE CAST(id AS TEXT) = $1";
    let (text, number) = app.database.texts(texts, &order).await.pop().unwrap();
    assert_eq!(text, number.to_lowercase());
}
