//! The way of an order through the whole fleet, as a customer goes it through the gateway.
#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect fails")]

use serde_json::json;
use testkit::fleet::{Fleet, Way, until};
use testkit::in_all_ways;

/// The integration test of the system that this one replaces, step by step. Its fifth step simulates the webhook and so
/// speaks with a service token, to the payment service itself.
async fn complete_order_flow(way: Way) {
    let Some(fleet) = Fleet::of(way).await else { return };

    let mut person = fleet.visitor();
    let form = json!({"firstName": "John", "lastName": "Doe", "email": "john@example.com", "password": "password123"});
    let registered = person.post("/api/auth/register", &form).await.expect(201);
    person.sign_in(&registered);
    let user = &registered["user"];

    let products = person.get("/api/products").await.expect(200);
    let product = &products["data"][0];

    let form = json!({
        "user_id": user["id"],
        "items": [{"product_id": product["id"], "quantity": 2}],
        "shipping_address": {
            "street": "123 Main St", "city": "New York", "state": "NY", "postal_code": "10001", "country": "US",
        },
        "customer_info": {"first_name": "John", "last_name": "Doe", "email": "john@example.com"},
    });
    let order = person.post("/api/orders", &form).await.expect(201);

    let form = json!({
        "order_id": order["id"], "user_id": user["id"], "amount": order["total_amount"],
        "method": "card", "provider": "stripe",
    });
    let payment = person.post("/api/payments", &form).await.expect(201);

    let service = fleet.service().await.at(&fleet.run.services["payment-service"]);
    let path = format!("/api/payments/{}/confirm", payment["payment"]["id"].as_str().unwrap());
    let _ = service.put(&path, &json!({"provider_transaction_id": "txn_123456"})).await.expect(200);

    let paid = person.get(&format!("/api/orders/{}", order["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(paid["payment_status"], "completed");
    assert_eq!(paid["status"], "confirmed");
    assert_eq!(paid["payments"][0]["status"], "completed");
}

async fn an_order_is_paid_by_webhook(way: Way) {
    let Some(fleet) = Fleet::of(way).await else { return };
    let person = fleet.customer().await;
    let before = person.stock(1).await;

    let order = person.place(&[(1, 2)]).await;
    assert_eq!((order["status"].as_str(), order["payment_status"].as_str()), (Some("pending"), Some("pending")));
    assert_eq!(person.stock(1).await, before - 2);

    let payment = person.pay(&order).await;
    assert_eq!(payment["payment"]["status"], "pending");
    let _ = fleet.charge(&payment, "pm_card_visa").await.expect(200);

    let paid = person.until_order(&order, "confirmed", "completed").await;
    assert_eq!(paid["payments"][0]["amount"], order["total_amount"]);
    assert!(paid["payments"][0]["processed_at"].is_string());

    let service = fleet.service().await.at(&fleet.run.services["product-service"]);
    let path = format!("/api/products/reservations/{}", order["id"].as_str().unwrap());
    until("the goods are sold", || async {
        let reservation = service.get(&path).await.expect(200);
        (reservation["status"] == "committed").then_some(())
    })
    .await;
    assert_eq!(person.stock(1).await, before - 2);
}

async fn a_declined_card_is_followed_by_a_second_try(way: Way) {
    let Some(fleet) = Fleet::of(way).await else { return };
    let person = fleet.customer().await;
    let order = person.place(&[(2, 1)]).await;

    let first = person.pay(&order).await;
    let declined = fleet.charge(&first, "pm_card_chargeDeclined").await.expect(402);
    assert_eq!(declined["error"]["code"], "card_declined");
    let failed = person.until_payment(&first, "failed").await;
    assert!(failed["failure_reason"].is_string(), "{failed:#}");
    person.until_order(&order, "pending", "failed").await;

    let second = person.pay(&order).await;
    let _ = fleet.charge(&second, "pm_card_visa").await.expect(200);
    let paid = person.until_order(&order, "confirmed", "completed").await;
    assert_eq!(paid["payments"].as_array().unwrap().len(), 2);
}

async fn an_order_is_paid_through_its_own_path(way: Way) {
    let Some(fleet) = Fleet::of(way).await else { return };
    let person = fleet.customer().await;
    let order = person.place(&[(1, 1)]).await;
    let path = format!("/api/orders/{}/payments", order["id"].as_str().unwrap());
    let payment = person.post(&path, &json!({"payment_method": "card"})).await.expect(201);
    assert_eq!(payment["payment"]["amount"], order["total_amount"]);
    let _ = fleet.charge(&payment, "pm_card_visa").await.expect(200);
    person.until_order(&order, "confirmed", "completed").await;
    let payments = person.get(&path).await.expect(200);
    assert_eq!(payments.as_array().unwrap().len(), 1);
}

async fn paypal_takes_the_same_way_as_a_card(way: Way) {
    let Some(fleet) = Fleet::of(way).await else { return };
    let person = fleet.customer().await;
    let order = person.place(&[(1, 1)]).await;
    let form = json!({
        "order_id": order["id"], "user_id": person.id, "amount": order["total_amount"],
        "method": "paypal", "provider": "stripe",
    });
    let payment = person.post("/api/payments", &form).await.expect(201);
    let _ = fleet.charge(&payment, "pm_paypal").await.expect(200);
    person.until_order(&order, "confirmed", "completed").await;
}

async fn totals_come_from_the_server(way: Way) {
    let Some(fleet) = Fleet::of(way).await else { return };
    let admin = fleet.admin().await;
    let form = json!({
        "name": "Mug", "description": "Holds tea", "price": "12.49", "category": "Kitchen", "stockQuantity": 50,
    });
    let product = admin.post("/api/products", &form).await.expect(201)["id"].as_i64().unwrap();
    let person = fleet.customer().await;

    let mut form = person.order_form(&[(product, 1), (product, 2)]);
    form["items"][0]["unit_price"] = json!(0.01);
    form["total_amount"] = json!(0.01);
    form["status"] = json!("delivered");
    let order = person.post("/api/orders", &form).await.expect(201);
    assert_eq!(order["items"].as_array().unwrap().len(), 1);
    assert_eq!(order["items"][0]["quantity"], 3);
    assert_eq!(order["subtotal"], 37.47);
    assert_eq!(order["tax_amount"], 3.0);
    assert_eq!(order["shipping_amount"], 9.99);
    assert_eq!(order["total_amount"], 50.46);
    assert_eq!(order["status"], "pending");

    let order = person.place(&[(product, 9)]).await;
    assert_eq!((order["subtotal"].as_f64(), order["shipping_amount"].as_f64()), (Some(112.41), Some(0.0)));
}

in_all_ways!(
    complete_order_flow,
    an_order_is_paid_by_webhook,
    a_declined_card_is_followed_by_a_second_try,
    an_order_is_paid_through_its_own_path,
    paypal_takes_the_same_way_as_a_card,
    totals_come_from_the_server,
);
