//! `POST /api/orders`: placed orders

use std::collections::HashSet;
use testkit::ResponseExt as _;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::{TestApp, id};

#[tokio::test]
async fn order_is_priced_reserved_and_placed() {
    let app = TestApp::start().await;
    let user = app.user();
    let reply = app.post("/api/orders", &app.token(user), TestApp::form(user)).await;
    let location = reply.headers["location"].clone();
    let order = reply.json(201);
    assert_eq!(location, format!("/api/orders/{}", order["id"].as_str().unwrap()));
    let mut expected = TestApp::form(user);
    expected["shipping_address"]["apartment"] = Value::Null;
    expected["customer_info"]["phone"] = Value::Null;
    let now = order["created_at"].clone();
    assert_eq!(
        order,
        json!({
            "id": order["id"], "order_number": order["order_number"], "user_id": user,
            "status": "pending", "payment_status": "pending",
            "subtotal": 59.98, "tax_amount": 4.8, "shipping_amount": 9.99, "discount_amount": 0.0, "total_amount": 74.77,
            "currency": "USD",
            "customer_info": expected["customer_info"], "shipping_address": expected["shipping_address"],
            "billing_address": null,
            "items": [{
                "id": order["items"][0]["id"], "product_id": 1, "product_name": "Product 1", "product_sku": "SKU-1",
                "unit_price": 29.99, "quantity": 2, "total_price": 59.98,
            }],
            "payments": [], "notes": null, "metadata": null, "tracking": null,
            "payment_due_at": order["payment_due_at"],
            "created_at": now, "updated_at": now, "shipped_at": null, "delivered_at": null,
        })
    );
    let [placed, due] = ["created_at", "payment_due_at"]
        .map(|field| chrono::DateTime::parse_from_rfc3339(order[field].as_str().unwrap()).unwrap());
    assert_eq!(due - placed, chrono::TimeDelta::seconds(60));
    assert!((1..=20).contains(&order["order_number"].as_str().unwrap().len()));

    let reservation = app.stub_services.state().reservations[&id(&order)].clone();
    assert_eq!(serde_json::to_value(reservation.items).unwrap(), json!([{"productId": 1, "quantity": 2}]));
    let events = app.events(&order).await;
    let created = json!({
        "order_id": order["id"], "order_number": order["order_number"], "user_id": user, "total_amount": 74.77,
        "items_count": 1, "items": [{"product_id": 1, "quantity": 2}], "timestamp": now,
    });
    assert_eq!(events, [("order.created".to_owned(), created)]);
}

#[tokio::test]
async fn all_request_fields_are_stored() {
    let app = TestApp::start().await;
    let user = app.user();
    let mut form = TestApp::form(user);
    form["billing_address"] = form["shipping_address"].clone();
    form["billing_address"]["apartment"] = json!("4b");
    form["customer_info"]["phone"] = json!("+1 555 0100");
    form["customer_info"]["email"] = json!(" John@Example.com ");
    form["notes"] = json!("  Ring twice\nor thrice ");
    form["metadata"] = json!({"source": "web", "nested": {"a": [1, 2.5, null]}});
    let order = app.post("/api/orders", &app.token(user), form.clone()).await.json(201);
    assert_eq!(order["billing_address"], form["billing_address"]);
    assert_eq!(order["customer_info"]["phone"], "+1 555 0100");
    assert_eq!(order["customer_info"]["email"], "john@example.com");
    assert_eq!(order["notes"], "Ring twice\nor thrice");
    assert_eq!(order["metadata"], form["metadata"]);
    assert_eq!(app.order(order["id"].as_str().unwrap()).await, order, "the read order equals the response");
}

#[tokio::test]
async fn server_side_fields_are_ignored() {
    let app = TestApp::start().await;
    let user = app.user();
    let mut form = TestApp::form(user);
    form["items"][0]["unit_price"] = json!(0.01);
    for (field, value) in [
        ("id", json!("7")),
        ("status", json!("delivered")),
        ("payment_status", json!("completed")),
        ("total_amount", json!(0.01)),
        ("order_number", json!("ORD-1")),
        ("payments", json!([{"amount": 74.77}])),
        ("currency", json!("EUR")),
    ] {
        form[field] = value;
    }
    let order = app.post("/api/orders", &app.token(user), form).await.json(201);
    assert_eq!(
        (&order["status"], &order["total_amount"], &order["currency"]),
        (&json!("pending"), &json!(74.77), &json!("USD"))
    );
    assert_eq!((&order["payment_status"], &order["payments"]), (&json!("pending"), &json!([])));
    assert_ne!(order["order_number"], "ORD-1");
}

#[tokio::test]
async fn lines_of_one_product_are_merged() {
    let app = TestApp::start().await;
    let user = app.user();
    let mut form = TestApp::form(user);
    form["items"] = json!([
        {"product_id": 4, "quantity": 1}, {"product_id": 1, "quantity": 1}, {"product_id": 4, "quantity": 2},
    ]);
    let order = app.post("/api/orders", &app.token(user), form).await.json(201);
    let items: Vec<_> =
        order["items"].as_array().unwrap().iter().map(|item| (&item["product_id"], &item["quantity"])).collect();
    assert_eq!(items, [(&json!(4), &json!(3)), (&json!(1), &json!(1))]);
    assert_eq!(order["subtotal"], 30.20);
    assert_eq!(order["tax_amount"], 2.42);
    assert_eq!(app.stub_services.state().reservations[&id(&order)].items.len(), 2);
}

#[tokio::test]
async fn shipping_is_free_from_the_threshold() {
    let app = TestApp::start().await;
    let user = app.user();
    let mut form = TestApp::form(user);
    form["items"] = json!([{"product_id": 2, "quantity": 1}]);
    let order = app.post("/api/orders", &app.token(user), form).await.json(201);
    assert_eq!((&order["shipping_amount"], &order["total_amount"]), (&json!(0.0), &json!(108.0)));
}

#[tokio::test]
async fn admins_and_services_place_orders_for_customers() {
    let app = TestApp::start().await;
    let user = app.user();
    for token in [app.admin(), app.service()] {
        let order = app.post("/api/orders", &token, TestApp::form(user)).await.json(201);
        assert_eq!(order["user_id"], json!(user));
    }
}

#[tokio::test]
async fn order_with_another_total_than_expected_is_rejected() {
    let app = TestApp::start().await;
    let user = app.user();
    let mut form = TestApp::form(user);
    form["expected_total"] = json!("74.76");
    let body = app.post("/api/orders", &app.token(user), form.clone()).await.problem(409, "TOTAL_CHANGED");
    let totals = ["subtotal", "tax_amount", "shipping_amount", "discount_amount", "total_amount"];
    assert_eq!(totals.map(|field| body[field].clone()), [59.98, 4.8, 9.99, 0.0, 74.77].map(|amount| json!(amount)));
    assert!(app.stub_services.state().reservations.is_empty());
    form["expected_total"] = json!(74.77);
    app.post("/api/orders", &app.token(user), form).await.json(201);
}

#[tokio::test]
async fn product_data_is_stored_as_of_the_order() {
    let app = TestApp::start().await;
    let (_, order) = app.placed().await;
    app.stub_services.state().products.insert(1, ("1.00", 100));
    let again = app.order(order["id"].as_str().unwrap()).await;
    assert_eq!(again["items"][0]["unit_price"], 29.99);
    let query = "SELECT product_description, product_snapshot FROM order_items WHERE CAST(order_id AS TEXT) = $1";
    let (description, snapshot) = app.database.texts(query, &order).await.remove(0);
    let snapshot: Value = serde_json::from_str(&snapshot).unwrap();
    assert_eq!((description.as_str(), &snapshot["stockQuantity"]), ("Nice", &json!(100)));
}

#[tokio::test]
async fn orders_of_one_millisecond_have_different_numbers() {
    let app = TestApp::start().await;
    let user = app.user();
    let orders = join_all((0..20).map(|_| app.place(user))).await;
    let numbers: HashSet<_> = orders.iter().map(|order| order["order_number"].as_str().unwrap()).collect();
    assert_eq!(numbers.len(), 20);
    assert!(orders.iter().all(|order| order["created_at"] == orders[0]["created_at"]));
}

#[tokio::test]
async fn existence_of_a_user_is_cached() {
    let app = TestApp::start().await;
    let user = app.user();
    for _ in 0..3 {
        app.place(user).await;
    }
    assert_eq!(app.stub_services.state().user_lookups, 1);
    app.stub_services.state().users_unavailable = true;
    app.post("/api/orders", &app.admin(), TestApp::form(user)).await.json(201);
}
