//! Reads of single products.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::{ApiResponse, ResponseExt as _};

use crate::support::{TestService, ids};

#[tokio::test]
async fn product_is_read_as_it_was_created() {
    let service = TestService::open().await;
    let fields = json!({"price": "12.5", "stockQuantity": 7, "brand": "Clay", "sku": "MUG-1"});
    let created = service.add("Mug", fields).await;
    let id = created["id"].as_i64().unwrap();
    let keys: Vec<_> = created.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = vec![
        "id",
        "name",
        "description",
        "price",
        "category",
        "stockQuantity",
        "brand",
        "sku",
        "averageRating",
        "reviewCount",
        "active",
        "images",
        "createdAt",
        "updatedAt",
    ];
    expected.sort_unstable();
    let mut sorted = keys.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected);
    assert_eq!(created["price"].to_string(), "12.5");
    assert_eq!((&created["stockQuantity"], &created["active"]), (&json!(7), &json!(true)));
    assert_eq!((created["averageRating"].as_f64(), &created["reviewCount"]), (Some(0.0), &json!(0)));
    assert_eq!(service.product(id).await, created);
    assert_eq!(service.get("/api/products/sku/MUG-1").await.json(200), created);
    assert_eq!(service.get(&format!("/api/products/{id}/")).await.json(200), created);
}

#[tokio::test]
async fn unknown_product_is_not_found() {
    let service = TestService::open().await;
    for path in ["/api/products/77", "/api/products/-1", "/api/products/sku/none", "/api/products/sku/%25"] {
        service.get(path).await.problem(404, "PRODUCT_NOT_FOUND");
    }
    for path in ["/api/products/abc", "/api/products/1.5", "/api/products/99999999999999999999"] {
        service.get(path).await.invalid(400, &["id"]);
    }
}

#[tokio::test]
async fn unchanged_product_is_not_modified() {
    let service = TestService::open().await;
    let id = service.add("Mug", json!({"sku": "M 1/2"})).await["id"].as_i64().unwrap();
    for path in [format!("/api/products/{id}"), "/api/products/sku/M%201%2F2".to_owned()] {
        let response = service.get(&path).await;
        let etag = response.header("etag").unwrap().to_owned();
        assert!(etag.starts_with('"') && etag.ends_with('"'), "{etag}");
        response.json(200);
        for known in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".to_owned()] {
            let response = ApiResponse::of(service.request(Method::GET, &path).header("if-none-match", &known));
            let response = response.await.unwrap();
            assert_eq!((response.status, response.header("etag").unwrap()), (304, etag.as_str()), "{known}");
        }
        for other in ["\"x\"", "x", "W/\"x\", \"y\""] {
            let response = ApiResponse::of(service.request(Method::GET, &path).header("if-none-match", other));
            response.await.unwrap().json(200);
        }
    }
}

#[tokio::test]
async fn etag_changes_with_the_product() {
    let service = TestService::open().await;
    let id = service.product_with_stock(5).await;
    let path = format!("/api/products/{id}");
    let before = service.get(&path).await.header("etag").unwrap().to_owned();
    service.reserve(service.order(), &[(id, 1)]).await.json(201);
    let response = ApiResponse::of(service.request(Method::GET, &path).header("if-none-match", &before)).await.unwrap();
    assert_ne!(response.header("etag").unwrap(), before);
    assert_eq!(response.json(200)["stockQuantity"], 4);
}

#[tokio::test]
async fn inactive_product_is_visible_to_admins_only() {
    let service = TestService::open().await;
    let id = service.add("Mug", json!({"sku": "M1"})).await["id"].as_i64().unwrap();
    service.delete(&format!("/api/products/{id}"), &service.admin()).await.json(204);
    for path in [format!("/api/products/{id}"), "/api/products/sku/M1".to_owned()] {
        for token in
            [None, Some(service.token(service.user())), Some(service.service_token()), Some("nonsense".to_owned())]
        {
            service.send(Method::GET, &path, token.as_deref(), None).await.problem(404, "PRODUCT_NOT_FOUND");
        }
        let shown = service.send(Method::GET, &path, Some(&service.admin()), None).await.json(200);
        assert_eq!(shown["active"], false);
    }
    service.get(&format!("/api/products/{id}/stock")).await.problem(404, "PRODUCT_NOT_FOUND");
    assert_eq!(service.get("/api/products").await.json(200)["totalElements"], 0);
}

#[tokio::test]
async fn cached_product_is_invalidated_by_every_change() {
    let service = TestService::open().await;
    let (admin, id) = (service.admin(), service.product_with_stock(5).await);
    let path = format!("/api/products/{id}");
    let field = async |field: &str| service.product(id).await[field].clone();
    assert_eq!(field("stockQuantity").await, 5);

    service.patch(&path, &admin, json!({"name": "Cup"})).await.json(200);
    assert_eq!(field("name").await, "Cup");
    service.patch(&format!("{path}/stock"), &admin, json!({"quantity": 3})).await.json(200);
    assert_eq!(field("stockQuantity").await, 8);
    let order = service.order();
    service.reserve(order, &[(id, 2)]).await.json(201);
    assert_eq!(field("stockQuantity").await, 6);
    service.release(order).await.json(204);
    assert_eq!(field("stockQuantity").await, 8);
    let image = json!({"url": "https://example.com/a.png"});
    let image = service.post(&format!("{path}/images"), &admin, image).await.json(201);
    assert_eq!(field("images").await, json!([image]));
    service.delete(&format!("{path}/images/{}", image["id"]), &admin).await.json(204);
    assert_eq!(field("images").await, json!([]));
    let review = service.post(&format!("{path}/reviews"), &admin, json!({"rating": 4})).await.json(201);
    assert_eq!(field("reviewCount").await, 1);
    service.delete(&format!("{path}/reviews/{}", review["id"]), &admin).await.json(204);
    assert_eq!(field("reviewCount").await, 0);
}

#[tokio::test]
async fn sku_identifies_its_current_product() {
    let service = TestService::open().await;
    let admin = service.admin();
    let of_sku = async |sku: &str| service.get(&format!("/api/products/sku/{sku}")).await;
    of_sku("A").await.problem(404, "PRODUCT_NOT_FOUND");
    let first = service.add("First", json!({"sku": "A"})).await["id"].clone();
    assert_eq!(of_sku("A").await.json(200)["id"], first);
    service.patch(&format!("/api/products/{first}"), &admin, json!({"sku": "B"})).await.json(200);
    of_sku("A").await.problem(404, "PRODUCT_NOT_FOUND");
    assert_eq!(of_sku("B").await.json(200)["id"], first);
    let second = service.add("Second", json!({"sku": "A"})).await["id"].clone();
    assert_eq!(of_sku("A").await.json(200)["id"], second);
    service.patch(&format!("/api/products/{first}"), &admin, json!({"sku": null})).await.json(200);
    of_sku("B").await.problem(404, "PRODUCT_NOT_FOUND");
    of_sku("a").await.problem(404, "PRODUCT_NOT_FOUND");
}

#[tokio::test]
async fn sku_of_a_deleted_product_can_be_reused() {
    let service = TestService::open().await;
    let admin = service.admin();
    let path = "/api/products/sku/A";
    let of_sku = async |token: Option<&str>| service.send(Method::GET, path, token, None).await;
    let first = service.add("First", json!({"sku": "A"})).await["id"].clone();
    let first_path = format!("/api/products/{first}");
    assert_eq!(of_sku(None).await.json(200)["id"], first);
    service.delete(&first_path, &admin).await.json(204);
    of_sku(None).await.problem(404, "PRODUCT_NOT_FOUND");
    let inactive = of_sku(Some(&admin)).await.json(200);
    assert_eq!((&inactive["id"], &inactive["sku"], &inactive["active"]), (&first, &json!("A"), &json!(false)));

    let second = service.add("Second", json!({"sku": "A"})).await["id"].clone();
    for token in [None, Some(admin.as_str())] {
        assert_eq!(of_sku(token).await.json(200)["id"], second);
    }
    let mut body = TestService::body("Third");
    body["sku"] = json!("A");
    service.post("/api/products", &admin, body).await.problem(409, "SKU_EXISTS");
    service.patch(&first_path, &admin, json!({"active": true})).await.problem(409, "SKU_EXISTS");
    service.patch(&first_path, &admin, json!({"name": "Renamed"})).await.json(200);
    let both = service.patch(&first_path, &admin, json!({"active": true, "sku": "B"})).await.json(200);
    assert_eq!((&both["sku"], &both["active"]), (&json!("B"), &json!(true)));
    assert_eq!(of_sku(None).await.json(200)["id"], second);

    service.delete(&first_path, &admin).await.json(204);
    service.patch(&first_path, &admin, json!({"sku": "A"})).await.json(200);
    service.delete(&format!("/api/products/{second}"), &admin).await.json(204);
    service.patch(&first_path, &admin, json!({"active": true})).await.json(200);
    assert_eq!(of_sku(None).await.json(200)["id"], first);
}

#[tokio::test]
async fn sku_that_is_not_a_path_segment_is_rejected() {
    let service = TestService::open().await;
    let id = service.product_with_stock(1).await;
    for invalid in [".", "..", "...", " .. ", "a/../b", "..\\a", "%2e%2e", "\u{2025}"] {
        let mut body = TestService::body("Mug");
        body["sku"] = json!(invalid);
        service.post("/api/products", &service.admin(), body).await.invalid(400, &["sku"]);
        service
            .patch(&format!("/api/products/{id}"), &service.admin(), json!({"sku": invalid}))
            .await
            .invalid(400, &["sku"]);
    }
    assert_eq!(service.get("/api/products").await.json(200)["totalElements"], 1);
}

#[tokio::test]
async fn batch_returns_active_products_once_by_id() {
    let service = TestService::open().await;
    let mut all = Vec::new();
    for name in ["A", "B", "C", "D"] {
        all.push(service.add(name, json!({})).await["id"].as_i64().unwrap());
    }
    service.delete(&format!("/api/products/{}", all[1]), &service.admin()).await.json(204);
    let list = format!("{},{},{},{},999,{}", all[3], all[1], all[0], all[3], all[2]);
    let batch = service.get(&format!("/api/products/batch?ids={list}")).await.json(200);
    assert_eq!(ids(&batch), [all[0], all[2], all[3]]);
    assert_eq!(batch[0], service.product(all[0]).await);
    assert_eq!(service.get("/api/products/batch?ids=999").await.json(200), json!([]));

    let many = |n: usize| (1..=n).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
    assert_eq!(ids(&service.get(&format!("/api/products/batch?ids={}", many(100))).await.json(200)).len(), 3);
    for invalid in ["", "?ids=", "?ids=1,,2", "?ids=a", "?ids=1;2", "?ids=1.5", &format!("?ids={}", many(101))] {
        service.get(&format!("/api/products/batch{invalid}")).await.invalid(400, &["ids"]);
    }
}

#[tokio::test]
async fn categories_and_brands_are_those_of_active_products() {
    let service = TestService::open().await;
    assert_eq!(service.get("/api/products/categories").await.json(200), json!([]));
    for (category, brand) in [("Tea", Some("Leaf")), ("Books", None), ("Tea", Some("Äther")), ("Old", Some("Gone"))] {
        service.add("X", json!({"category": category, "brand": brand})).await;
    }
    service.delete("/api/products/4", &service.admin()).await.json(204);
    let list = async |what: &str| -> Value { service.get(&format!("/api/products/{what}")).await.json(200) };
    assert_eq!(list("categories").await, json!(["Books", "Tea"]));
    assert_eq!(list("brands").await, json!(["Leaf", "Äther"]));
}
