//! Steps of a customer.

use fleet_harness::{ApiClient, ApiResponse};
use serde_json::Value;

use super::{ResponseExt as _, until};

/// Steps that a test expects to succeed.
#[expect(async_fn_in_trait, reason = "implemented by one type, whose futures are Send")]
pub trait ClientExt {
    /// Places an order of these products and quantities.
    async fn place(&self, items: &[(i64, i64)]) -> Value;

    /// Starts a card payment of an order.
    async fn pay(&self, order: &Value) -> Value;

    /// Requests a card payment of an order and returns the response, whatever it is.
    async fn request_payment(&self, order: &Value) -> ApiResponse;

    /// Fetches the current state of an order that an earlier response contained.
    async fn order(&self, order: &Value) -> Value;

    /// Waits until an order has this status and payment status.
    async fn until_order(&self, order: &Value, status: &str, payment_status: &str) -> Value;

    /// Waits until a payment has this status.
    async fn until_payment(&self, payment: &Value, status: &str) -> Value;

    /// Reads the available quantity of a product.
    async fn stock(&self, product: i64) -> i64;

    /// Waits until a product has this available quantity.
    async fn until_stock(&self, product: i64, quantity: i64);
}

impl ClientExt for ApiClient {
    async fn place(&self, items: &[(i64, i64)]) -> Value {
        self.post("/api/orders", &self.order_form(items)).await.json(201)
    }

    async fn pay(&self, order: &Value) -> Value {
        self.request_payment(order).await.json(201)
    }

    async fn request_payment(&self, order: &Value) -> ApiResponse {
        self.post("/api/payments", &Self::payment_form(order)).await.expect("a response")
    }

    async fn order(&self, order: &Value) -> Value {
        self.get(&format!("/api/orders/{}", id(order))).await.json(200)
    }

    async fn until_order(&self, order: &Value, status: &str, payment_status: &str) -> Value {
        let what = format!("an order {status}, its payment {payment_status}");
        until(&what, || async {
            let order = self.order(order).await;
            (order["status"] == status && order["payment_status"] == payment_status).then_some(order)
        })
        .await
    }

    async fn until_payment(&self, payment: &Value, status: &str) -> Value {
        let path = format!("/api/payments/{}", id(&payment["payment"]));
        until(&format!("a payment {status}"), || async {
            let payment = self.get(&path).await.json(200);
            (payment["status"] == status).then_some(payment)
        })
        .await
    }

    async fn stock(&self, product: i64) -> i64 {
        let stock = self.get(&format!("/api/products/{product}/stock?quantity=1")).await.json(200);
        stock["stockQuantity"].as_i64().unwrap_or(-1)
    }

    async fn until_stock(&self, product: i64, quantity: i64) {
        until(&format!("{quantity} pieces of product {product}"), || async {
            (self.stock(product).await == quantity).then_some(())
        })
        .await;
    }
}

fn id(value: &Value) -> &str {
    value["id"].as_str().unwrap_or_default()
}
