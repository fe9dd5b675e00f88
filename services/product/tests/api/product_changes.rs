//! Creation, update and deactivation of products.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::ResponseExt as _;

use crate::support::TestService;

#[tokio::test]
async fn product_changes_require_an_admin() {
    let service = TestService::open().await;
    let id = service.product_with_stock(1).await;
    let others = [service.token(service.user()), service.service_token()];
    let path = format!("/api/products/{id}");
    service.assert_forbidden(Method::POST, "/api/products", Some(TestService::body("X")), &others).await;
    service.assert_forbidden(Method::PUT, &path, Some(json!({"name": "X"})), &others).await;
    service.assert_forbidden(Method::PATCH, &path, Some(json!({"name": "X"})), &others).await;
    service.assert_forbidden(Method::DELETE, &path, None, &others).await;
    assert_eq!(service.product(id).await["name"], "Mug");
}

#[tokio::test]
async fn created_product_is_at_its_location() {
    let service = TestService::open().await;
    let mut body = TestService::body("  Mug ");
    let sent = json!({"id": 77, "active": false, "averageRating": 5, "reviewCount": 9, "brand": "", "createdAt": "x"});
    body.as_object_mut().unwrap().extend(sent.as_object().unwrap().clone());
    let response = service.post("/api/products", &service.admin(), body).await;
    let location = response.header("location").unwrap().to_owned();
    let created = response.json(201);
    assert_eq!(location, format!("/api/products/{}", created["id"]));
    assert_eq!(service.get(&location).await.json(200), created);
    assert_eq!((&created["id"], &created["name"], &created["active"]), (&json!(1), &json!("Mug"), &json!(true)));
    assert_eq!((&created["reviewCount"], &created["brand"], &created["sku"]), (&json!(0), &Value::Null, &Value::Null));
    let (kind, data) = service.events().await.pop().unwrap();
    assert_eq!(kind, "product.created");
    let payload = json!({
        "productId": 1, "name": "Mug", "sku": null, "price": 9.99, "stockQuantity": 0, "active": true,
    });
    assert_eq!(data, payload);
}

#[tokio::test]
async fn invalid_product_is_not_created() {
    let service = TestService::open().await;
    for (field, invalid) in [
        ("name", json!("")),
        ("name", json!(" ")),
        ("name", Value::Null),
        ("name", json!("x".repeat(256))),
        ("name", json!(5)),
        ("description", json!("")),
        ("description", json!("x".repeat(2001))),
        ("description", Value::Null),
        ("price", json!(0)),
        ("price", json!(-1)),
        ("price", json!(1.001)),
        ("price", json!("free")),
        ("price", Value::Null),
        ("category", json!("")),
        ("category", json!("x".repeat(101))),
        ("stockQuantity", json!(-1)),
        ("stockQuantity", json!(1_000_000_001_i64)),
        ("stockQuantity", json!(1.5)),
        ("brand", json!("x".repeat(51))),
        ("sku", json!("x".repeat(101))),
    ] {
        let mut body = TestService::body("Mug");
        body[field] = invalid.clone();
        service.post("/api/products", &service.admin(), body).await.invalid(400, &[field]);
    }
    let all = service.post("/api/products", &service.admin(), json!({})).await.problem(400, "VALIDATION_FAILED");
    assert_eq!(all["errors"].as_array().unwrap().len(), 4);
    let request = service.request(Method::POST, "/api/products").bearer_auth(service.admin());
    let request = request.header("content-type", "application/json").body("{");
    testkit::ApiResponse::of(request).await.unwrap().problem(400, "MALFORMED_BODY");
    let long = json!({"name": "x".repeat(255), "description": "ä".repeat(2000), "category": "x".repeat(100),
        "brand": "x".repeat(50), "sku": "x".repeat(100), "stockQuantity": 1_000_000_000, "price": 99_999_999.99});
    service.add("x", long).await;
    assert_eq!(service.get("/api/products").await.json(200)["totalElements"], 1);
}

#[tokio::test]
async fn update_keeps_omitted_fields_and_ignores_server_fields() {
    let service = TestService::open().await;
    let fields = json!({"brand": "Clay", "sku": "M1", "stockQuantity": 5});
    let before = service.add("Mug", fields).await;
    let path = format!("/api/products/{}", before["id"]);
    service.advance(60);
    for method in [Method::PUT, Method::PATCH] {
        service.advance(60);
        let change = json!({"price": "19.90", "stockQuantity": 99, "reviewCount": 9, "id": 9, "images": [{}]});
        let price = if method == Method::PUT { "19.90" } else { "20" };
        let mut change = change.clone();
        change["price"] = json!(price);
        let after = service.send(method, &path, Some(&service.admin()), Some(change)).await.json(200);
        let mut expected = before.clone();
        expected["price"] = serde_json::from_str(if price == "20" { "20.00" } else { "19.90" }).unwrap();
        expected["updatedAt"] = after["updatedAt"].clone();
        assert_eq!(after, expected);
        assert_ne!(after["updatedAt"], before["updatedAt"]);
    }
    assert_eq!(service.events().await.pop().unwrap().0, "product.updated");

    let cleared = service.patch(&path, &service.admin(), json!({"brand": null, "sku": null})).await.json(200);
    assert_eq!((&cleared["brand"], &cleared["sku"], &cleared["name"]), (&Value::Null, &Value::Null, &json!("Mug")));
    let count = service.events().await.len();
    let read = service.product(1).await;
    assert_eq!(service.patch(&path, &service.admin(), read.clone()).await.json(200), read);
    assert_eq!(service.events().await.len(), count, "nothing changed");

    let inactive = service.patch(&path, &service.admin(), json!({"active": false})).await.json(200);
    assert_eq!(inactive["active"], false);
    service.get(&path).await.problem(404, "PRODUCT_NOT_FOUND");
    service.patch(&path, &service.admin(), json!({"active": true})).await.json(200);
    service.get(&path).await.json(200);
}

#[tokio::test]
async fn invalid_update_is_rejected() {
    let service = TestService::open().await;
    let before = service.add("Mug", json!({})).await;
    for (field, invalid) in [
        ("name", json!("")),
        ("description", json!("x".repeat(2001))),
        ("price", json!(0)),
        ("category", json!(" ")),
        ("brand", json!("x".repeat(51))),
        ("sku", json!("x".repeat(101))),
        ("active", json!("yes")),
    ] {
        service.patch("/api/products/1", &service.admin(), json!({field: invalid})).await.invalid(400, &[field]);
    }
    assert_eq!(service.product(1).await, before);
    service.patch("/api/products/77", &service.admin(), json!({"name": "X"})).await.problem(404, "PRODUCT_NOT_FOUND");
    service.patch("/api/products/x", &service.admin(), json!({"name": "X"})).await.invalid(400, &["id"]);
}

#[tokio::test]
async fn deletion_deactivates_a_product() {
    let service = TestService::open().await;
    let id = service.product_with_stock(1).await;
    let path = format!("/api/products/{id}");
    for _ in 0..2 {
        let response = service.delete(&path, &service.admin()).await;
        assert_eq!((response.status, &response.body), (204, &Value::Null));
    }
    let deleted: Vec<_> = service.events().await.into_iter().filter(|(kind, _)| kind == "product.deleted").collect();
    assert_eq!(deleted.len(), 1);
    assert_eq!(deleted[0].1["active"], false);
    service.delete("/api/products/77", &service.admin()).await.problem(404, "PRODUCT_NOT_FOUND");
}

#[tokio::test]
async fn sku_is_unique_under_concurrency() {
    let service = TestService::open().await;
    let admin = service.admin();
    let create = || {
        let mut body = TestService::body("Mug");
        body["sku"] = json!("M1");
        service.post("/api/products", &admin, body)
    };
    let (one, other) = tokio::join!(create(), create());
    let (made, rejected) = if one.status == 201 { (one, other) } else { (other, one) };
    made.json(201);
    rejected.problem(409, "SKU_EXISTS");
    let second = service.add("Cup", json!({"sku": "M2"})).await;
    let path = format!("/api/products/{}", second["id"]);
    service.patch(&path, &admin, json!({"sku": "M1"})).await.problem(409, "SKU_EXISTS");
    service.patch(&path, &admin, json!({"sku": "M2", "name": "Beaker"})).await.json(200);
    service.delete("/api/products/1", &admin).await.json(204);
    create().await.json(201);
    for _ in 0..2 {
        service.add("No sku", json!({"sku": null})).await;
    }
}
