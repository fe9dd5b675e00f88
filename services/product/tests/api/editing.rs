//! Creating, changing and hiding products.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::Shop;

#[tokio::test]
async fn only_an_admin_edits_the_catalogue() {
    let shop = Shop::open().await;
    let id = shop.stocked(1).await;
    let others = [shop.token(shop.user()), shop.trusted()];
    let path = format!("/api/products/{id}");
    shop.only_for(Method::POST, "/api/products", Some(Shop::body("X")), &others).await;
    shop.only_for(Method::PUT, &path, Some(json!({"name": "X"})), &others).await;
    shop.only_for(Method::PATCH, &path, Some(json!({"name": "X"})), &others).await;
    shop.only_for(Method::DELETE, &path, None, &others).await;
    assert_eq!(shop.product(id).await["name"], "Mug");
}

#[tokio::test]
async fn a_created_product_is_where_it_is_said_to_be() {
    let shop = Shop::open().await;
    let mut body = Shop::body("  Mug ");
    let sent = json!({"id": 77, "active": false, "averageRating": 5, "reviewCount": 9, "brand": "", "createdAt": "x"});
    body.as_object_mut().unwrap().extend(sent.as_object().unwrap().clone());
    let answer = shop.post("/api/products", &shop.admin(), body).await;
    let location = answer.header("location").to_owned();
    let created = answer.ok(201);
    assert_eq!(location, format!("/api/products/{}", created["id"]));
    assert_eq!(shop.get(&location).await.ok(200), created);
    assert_eq!((&created["id"], &created["name"], &created["active"]), (&json!(1), &json!("Mug"), &json!(true)));
    assert_eq!((&created["reviewCount"], &created["brand"], &created["sku"]), (&json!(0), &Value::Null, &Value::Null));
    let (kind, data) = shop.events().await.pop().unwrap();
    assert_eq!(kind, "product.created");
    let told = json!({
        "productId": 1, "name": "Mug", "sku": null, "price": 9.99, "stockQuantity": 0, "active": true,
    });
    assert_eq!(data, told);
}

#[tokio::test]
async fn what_breaks_a_rule_is_not_created() {
    let shop = Shop::open().await;
    for (field, wrong) in [
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
        let mut body = Shop::body("Mug");
        body[field] = wrong.clone();
        shop.post("/api/products", &shop.admin(), body).await.invalid(field);
    }
    let all = shop.post("/api/products", &shop.admin(), json!({})).await.refused(400, "VALIDATION_FAILED");
    assert_eq!(all["errors"].as_array().unwrap().len(), 4);
    let request = shop.request(Method::POST, "/api/products").bearer_auth(shop.admin());
    let request = request.header("content-type", "application/json").body("{");
    crate::support::reply(request.send().await.unwrap()).await.refused(400, "MALFORMED_BODY");
    let long = json!({"name": "x".repeat(255), "description": "ä".repeat(2000), "category": "x".repeat(100),
        "brand": "x".repeat(50), "sku": "x".repeat(100), "stockQuantity": 1_000_000_000, "price": 99_999_999.99});
    shop.add("x", long).await;
    assert_eq!(shop.get("/api/products").await.ok(200)["totalElements"], 1);
}

#[tokio::test]
async fn what_is_left_out_stays_and_what_the_server_owns_is_ignored() {
    let shop = Shop::open().await;
    let fields = json!({"brand": "Clay", "sku": "M1", "stockQuantity": 5});
    let before = shop.add("Mug", fields).await;
    let path = format!("/api/products/{}", before["id"]);
    shop.advance(60);
    for method in [Method::PUT, Method::PATCH] {
        shop.advance(60);
        let change = json!({"price": "19.90", "stockQuantity": 99, "reviewCount": 9, "id": 9, "images": [{}]});
        let price = if method == Method::PUT { "19.90" } else { "20" };
        let mut change = change.clone();
        change["price"] = json!(price);
        let after = shop.send(method, &path, Some(&shop.admin()), Some(change)).await.ok(200);
        let mut expected = before.clone();
        expected["price"] = serde_json::from_str(if price == "20" { "20.00" } else { "19.90" }).unwrap();
        expected["updatedAt"] = after["updatedAt"].clone();
        assert_eq!(after, expected);
        assert_ne!(after["updatedAt"], before["updatedAt"]);
    }
    assert_eq!(shop.events().await.pop().unwrap().0, "product.updated");

    let cleared = shop.patch(&path, &shop.admin(), json!({"brand": null, "sku": null})).await.ok(200);
    assert_eq!((&cleared["brand"], &cleared["sku"], &cleared["name"]), (&Value::Null, &Value::Null, &json!("Mug")));
    let count = shop.events().await.len();
    let read = shop.product(1).await;
    assert_eq!(shop.patch(&path, &shop.admin(), read.clone()).await.ok(200), read);
    assert_eq!(shop.events().await.len(), count, "nothing changed");

    let hidden = shop.patch(&path, &shop.admin(), json!({"active": false})).await.ok(200);
    assert_eq!(hidden["active"], false);
    shop.get(&path).await.refused(404, "PRODUCT_NOT_FOUND");
    shop.patch(&path, &shop.admin(), json!({"active": true})).await.ok(200);
    shop.get(&path).await.ok(200);
}

#[tokio::test]
async fn what_breaks_a_rule_is_not_changed() {
    let shop = Shop::open().await;
    let before = shop.add("Mug", json!({})).await;
    for (field, wrong) in [
        ("name", json!("")),
        ("description", json!("x".repeat(2001))),
        ("price", json!(0)),
        ("category", json!(" ")),
        ("brand", json!("x".repeat(51))),
        ("sku", json!("x".repeat(101))),
        ("active", json!("yes")),
    ] {
        shop.patch("/api/products/1", &shop.admin(), json!({field: wrong})).await.invalid(field);
    }
    assert_eq!(shop.product(1).await, before);
    shop.patch("/api/products/77", &shop.admin(), json!({"name": "X"})).await.refused(404, "PRODUCT_NOT_FOUND");
    shop.patch("/api/products/x", &shop.admin(), json!({"name": "X"})).await.invalid("id");
}

#[tokio::test]
async fn a_product_is_hidden_and_stays_so() {
    let shop = Shop::open().await;
    let id = shop.stocked(1).await;
    let path = format!("/api/products/{id}");
    for _ in 0..2 {
        let answer = shop.delete(&path, &shop.admin()).await;
        assert_eq!((answer.status, &answer.body), (204, &Value::Null));
    }
    let deleted: Vec<_> = shop.events().await.into_iter().filter(|(kind, _)| kind == "product.deleted").collect();
    assert_eq!(deleted.len(), 1);
    assert_eq!(deleted[0].1["active"], false);
    shop.delete("/api/products/77", &shop.admin()).await.refused(404, "PRODUCT_NOT_FOUND");
}

#[tokio::test]
async fn a_sku_is_one_products_also_at_once() {
    let shop = Shop::open().await;
    let admin = shop.admin();
    let create = || {
        let mut body = Shop::body("Mug");
        body["sku"] = json!("M1");
        shop.post("/api/products", &admin, body)
    };
    let (one, other) = tokio::join!(create(), create());
    let (made, refused) = if one.status == 201 { (one, other) } else { (other, one) };
    made.ok(201);
    refused.refused(409, "SKU_EXISTS");
    let second = shop.add("Cup", json!({"sku": "M2"})).await;
    let path = format!("/api/products/{}", second["id"]);
    shop.patch(&path, &admin, json!({"sku": "M1"})).await.refused(409, "SKU_EXISTS");
    shop.patch(&path, &admin, json!({"sku": "M2", "name": "Beaker"})).await.ok(200);
    shop.delete("/api/products/1", &admin).await.ok(204);
    create().await.ok(201);
    for _ in 0..2 {
        shop.add("No sku", json!({"sku": null})).await;
    }
}
