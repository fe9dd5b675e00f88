//! Requests for carts.

use contracts::UserId;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{ApiResponse, ResponseExt as _};

use super::TestApp;

impl TestApp {
    /// Creates a cart, unclaimed without a token.
    pub(crate) async fn new_cart(&self, token: Option<&str>) -> Value {
        self.send(Method::POST, "/api/carts", token, None).await.json(201)
    }

    /// Creates a cart with these products and quantities.
    pub(crate) async fn filled_cart(&self, token: Option<&str>, items: &[(i64, i64)]) -> Value {
        let mut cart = self.new_cart(token).await;
        for (product, quantity) in items {
            cart = self.set_item(&cart, token, *product, *quantity).await.json(200);
        }
        cart
    }

    pub(crate) async fn set_item(&self, cart: &Value, token: Option<&str>, product: i64, quantity: i64) -> ApiResponse {
        self.send(Method::PUT, &item_path(cart, product), token, Some(json!({"quantity": quantity}))).await
    }

    pub(crate) async fn get_cart(&self, cart: &Value, token: Option<&str>) -> ApiResponse {
        self.send(Method::GET, &cart_path(cart), token, None).await
    }

    pub(crate) async fn claim(&self, cart: &Value, token: Option<&str>) -> ApiResponse {
        self.send(Method::POST, &format!("{}/claim", cart_path(cart)), token, None).await
    }

    /// Returns the request for the cart as it is shown.
    pub(crate) fn cart_form(user: UserId, cart: &Value) -> Value {
        let mut form = Self::form(user);
        form.as_object_mut().unwrap().remove("items");
        form["cart_id"] = cart["id"].clone();
        form["cart_version"] = cart["version"].clone();
        form["expected_total"] = cart["total_amount"].clone();
        form
    }
}

/// Returns the path of a cart.
pub(crate) fn cart_path(cart: &Value) -> String {
    format!("/api/carts/{}", cart["id"].as_str().unwrap())
}

/// Returns the path of a product in a cart.
pub(crate) fn item_path(cart: &Value, product: i64) -> String {
    format!("{}/items/{product}", cart_path(cart))
}

/// Returns the products and quantities of a cart or of an order.
pub(crate) fn quantities(body: &Value) -> Vec<(i64, i64)> {
    lines(&body["items"])
}

/// Returns the products and quantities of lines.
pub(crate) fn lines(lines: &Value) -> Vec<(i64, i64)> {
    let number = |line: &Value, field: &str| line[field].as_i64().unwrap();
    lines.as_array().unwrap().iter().map(|line| (number(line, "product_id"), number(line, "quantity"))).collect()
}
