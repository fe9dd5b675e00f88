//! Order flow through the gateway, as a customer sees it.

use serde_json::json;
use testkit::fleet::{ClientExt as _, Deployment, ResponseExt as _, deploy, until};
use testkit::fleet_tests;

/// Integration test of the replaced system, step by step. The fifth step simulates the webhook, so it calls the payment
/// service directly with a service token.
async fn complete_order_flow(deployment: Deployment) {
    let Some(fleet) = deploy(deployment).await else { return };

    let mut person = fleet.visitor();
    let form = json!({"firstName": "John", "lastName": "Doe", "email": "john@example.com", "password": "password123"});
    let registered = person.post("/api/auth/register", &form).await.json(201);
    person.sign_in(&registered);
    let user = &registered["user"];

    let products = person.get("/api/products").await.json(200);
    let product = &products["data"][0];

    let form = json!({
        "user_id": user["id"],
        "items": [{"product_id": product["id"], "quantity": 2}],
        "shipping_address": {
            "street": "123 Main St", "city": "New York", "state": "NY", "postal_code": "10001", "country": "US",
        },
        "customer_info": {"first_name": "John", "last_name": "Doe", "email": "john@example.com"},
    });
    let order = person.post("/api/orders", &form).await.json(201);

    let form = json!({
        "order_id": order["id"], "user_id": user["id"], "amount": order["total_amount"],
        "method": "card", "provider": "stripe",
    });
    let payment = person.post("/api/payments", &form).await.json(201);

    let service = fleet.service().await.unwrap().at(&fleet.run.services["payment-service"]);
    let path = format!("/api/payments/{}/confirm", payment["payment"]["id"].as_str().unwrap());
    let _ = service.put(&path, &json!({"provider_transaction_id": "txn_123456"})).await.json(200);

    let paid = person.get(&format!("/api/orders/{}", order["id"].as_str().unwrap())).await.json(200);
    assert_eq!(paid["payment_status"], "completed");
    assert_eq!(paid["status"], "confirmed");
    assert_eq!(paid["payments"][0]["status"], "completed");
}

async fn order_is_paid_by_webhook(deployment: Deployment) {
    let Some(fleet) = deploy(deployment).await else { return };
    let person = fleet.customer().await.unwrap();
    let before = person.stock(1).await;

    let order = person.place(&[(1, 2)]).await;
    assert_eq!((order["status"].as_str(), order["payment_status"].as_str()), (Some("pending"), Some("pending")));
    assert_eq!(person.stock(1).await, before - 2);

    let payment = person.pay(&order).await;
    assert_eq!(payment["payment"]["status"], "pending");
    let _ = fleet.charge(&payment, "pm_card_visa").await.json(200);

    let paid = person.until_order(&order, "confirmed", "completed").await;
    assert_eq!(paid["payments"][0]["amount"], order["total_amount"]);
    assert!(paid["payments"][0]["processed_at"].is_string());

    let service = fleet.service().await.unwrap().at(&fleet.run.services["product-service"]);
    let path = format!("/api/products/reservations/{}", order["id"].as_str().unwrap());
    until("a committed reservation", || async {
        let reservation = service.get(&path).await.json(200);
        (reservation["status"] == "committed").then_some(())
    })
    .await;
    assert_eq!(person.stock(1).await, before - 2);
}

async fn declined_card_allows_a_second_payment(deployment: Deployment) {
    let Some(fleet) = deploy(deployment).await else { return };
    let person = fleet.customer().await.unwrap();
    let order = person.place(&[(2, 1)]).await;

    let first = person.pay(&order).await;
    let declined = fleet.charge(&first, "pm_card_chargeDeclined").await.json(402);
    assert_eq!(declined["error"]["code"], "card_declined");
    let failed = person.until_payment(&first, "failed").await;
    assert!(failed["failure_reason"].is_string(), "{failed:#}");
    person.until_order(&order, "pending", "failed").await;

    let second = person.pay(&order).await;
    let _ = fleet.charge(&second, "pm_card_visa").await.json(200);
    let paid = person.until_order(&order, "confirmed", "completed").await;
    assert_eq!(paid["payments"].as_array().unwrap().len(), 2);
}

async fn order_is_paid_through_its_payments_path(deployment: Deployment) {
    let Some(fleet) = deploy(deployment).await else { return };
    let person = fleet.customer().await.unwrap();
    let order = person.place(&[(1, 1)]).await;
    let path = format!("/api/orders/{}/payments", order["id"].as_str().unwrap());
    let payment = person.post(&path, &json!({"payment_method": "card"})).await.json(201);
    assert_eq!(payment["payment"]["amount"], order["total_amount"]);
    let _ = fleet.charge(&payment, "pm_card_visa").await.json(200);
    person.until_order(&order, "confirmed", "completed").await;
    let payments = person.get(&path).await.json(200);
    assert_eq!(payments.as_array().unwrap().len(), 1);
}

async fn paypal_payment_completes_like_a_card_payment(deployment: Deployment) {
    let Some(fleet) = deploy(deployment).await else { return };
    let person = fleet.customer().await.unwrap();
    let order = person.place(&[(1, 1)]).await;
    let form = json!({
        "order_id": order["id"], "user_id": person.id, "amount": order["total_amount"],
        "method": "paypal", "provider": "stripe",
    });
    let payment = person.post("/api/payments", &form).await.json(201);
    let _ = fleet.charge(&payment, "pm_paypal").await.json(200);
    person.until_order(&order, "confirmed", "completed").await;
}

async fn totals_are_computed_by_the_server(deployment: Deployment) {
    let Some(fleet) = deploy(deployment).await else { return };
    let admin = fleet.admin().await.unwrap();
    let form = json!({
        "name": "Mug", "description": "Holds tea", "price": "12.49", "category": "Kitchen", "stockQuantity": 50,
    });
    let product = admin.post("/api/products", &form).await.json(201)["id"].as_i64().unwrap();
    let person = fleet.customer().await.unwrap();

    let mut form = person.order_form(&[(product, 1), (product, 2)]);
    form["items"][0]["unit_price"] = json!(0.01);
    form["total_amount"] = json!(0.01);
    form["status"] = json!("delivered");
    let order = person.post("/api/orders", &form).await.json(201);
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

fleet_tests!(
    complete_order_flow,
    order_is_paid_by_webhook,
    declined_card_allows_a_second_payment,
    order_is_paid_through_its_payments_path,
    paypal_payment_completes_like_a_card_payment,
    totals_are_computed_by_the_server,
);
