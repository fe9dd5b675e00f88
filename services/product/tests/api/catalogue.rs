//! Reading a product.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Shop, reply};

#[tokio::test]
async fn a_product_is_read_as_it_was_created() {
    let shop = Shop::open().await;
    let fields = json!({"price": "12.5", "stockQuantity": 7, "brand": "Clay", "sku": "MUG-1"});
    let created = shop.add("Mug", fields).await;
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
    assert_eq!(shop.product(id).await, created);
    assert_eq!(shop.get("/api/products/sku/MUG-1").await.ok(200), created);
    assert_eq!(shop.get(&format!("/api/products/{id}/")).await.ok(200), created);
}

#[tokio::test]
async fn an_unknown_product_is_not_found() {
    let shop = Shop::open().await;
    for path in ["/api/products/77", "/api/products/-1", "/api/products/sku/none", "/api/products/sku/%25"] {
        shop.get(path).await.refused(404, "PRODUCT_NOT_FOUND");
    }
    for path in ["/api/products/abc", "/api/products/1.5", "/api/products/99999999999999999999"] {
        shop.get(path).await.invalid("id");
    }
}

#[tokio::test]
async fn a_product_that_the_caller_has_is_not_sent_again() {
    let shop = Shop::open().await;
    let id = shop.add("Mug", json!({"sku": "M 1/2"})).await["id"].as_i64().unwrap();
    for path in [format!("/api/products/{id}"), "/api/products/sku/M%201%2F2".to_owned()] {
        let answer = shop.get(&path).await;
        let etag = answer.header("etag").to_owned();
        assert!(etag.starts_with('"') && etag.ends_with('"'), "{etag}");
        answer.ok(200);
        for known in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".to_owned()] {
            let answer = reply(shop.request(Method::GET, &path).header("if-none-match", &known).send().await.unwrap());
            let answer = answer.await;
            assert_eq!((answer.status, answer.header("etag")), (304, etag.as_str()), "{known}");
        }
        for other in ["\"x\"", "x", "W/\"x\", \"y\""] {
            let answer = reply(shop.request(Method::GET, &path).header("if-none-match", other).send().await.unwrap());
            answer.await.ok(200);
        }
    }
}

#[tokio::test]
async fn the_etag_changes_with_the_product() {
    let shop = Shop::open().await;
    let id = shop.stocked(5).await;
    let path = format!("/api/products/{id}");
    let before = shop.get(&path).await.header("etag").to_owned();
    shop.reserve(shop.order(), &[(id, 1)]).await.ok(201);
    let answer = reply(shop.request(Method::GET, &path).header("if-none-match", &before).send().await.unwrap()).await;
    assert_ne!(answer.header("etag"), before);
    assert_eq!(answer.ok(200)["stockQuantity"], 4);
}

#[tokio::test]
async fn a_hidden_product_is_there_for_admins_only() {
    let shop = Shop::open().await;
    let id = shop.add("Mug", json!({"sku": "M1"})).await["id"].as_i64().unwrap();
    shop.delete(&format!("/api/products/{id}"), &shop.admin()).await.ok(204);
    for path in [format!("/api/products/{id}"), "/api/products/sku/M1".to_owned()] {
        for token in [None, Some(shop.token(shop.user())), Some(shop.trusted()), Some("nonsense".to_owned())] {
            shop.send(Method::GET, &path, token.as_deref(), None).await.refused(404, "PRODUCT_NOT_FOUND");
        }
        let shown = shop.send(Method::GET, &path, Some(&shop.admin()), None).await.ok(200);
        assert_eq!(shown["active"], false);
    }
    shop.get(&format!("/api/products/{id}/stock")).await.refused(404, "PRODUCT_NOT_FOUND");
    assert_eq!(shop.get("/api/products").await.ok(200)["totalElements"], 0);
}

#[tokio::test]
async fn what_is_kept_is_dropped_with_every_change() {
    let shop = Shop::open().await;
    let (admin, id) = (shop.admin(), shop.stocked(5).await);
    let path = format!("/api/products/{id}");
    let sees = async |field: &str| shop.product(id).await[field].clone();
    assert_eq!(sees("stockQuantity").await, 5);

    shop.patch(&path, &admin, json!({"name": "Cup"})).await.ok(200);
    assert_eq!(sees("name").await, "Cup");
    shop.patch(&format!("{path}/stock"), &admin, json!({"quantity": 3})).await.ok(200);
    assert_eq!(sees("stockQuantity").await, 8);
    let order = shop.order();
    shop.reserve(order, &[(id, 2)]).await.ok(201);
    assert_eq!(sees("stockQuantity").await, 6);
    shop.release(order).await.ok(204);
    assert_eq!(sees("stockQuantity").await, 8);
    let image = json!({"url": "https://example.com/a.png"});
    let image = shop.post(&format!("{path}/images"), &admin, image).await.ok(201);
    assert_eq!(sees("images").await, json!([image]));
    shop.delete(&format!("{path}/images/{}", image["id"]), &admin).await.ok(204);
    assert_eq!(sees("images").await, json!([]));
    let review = shop.post(&format!("{path}/reviews"), &admin, json!({"rating": 4})).await.ok(201);
    assert_eq!(sees("reviewCount").await, 1);
    shop.delete(&format!("{path}/reviews/{}", review["id"]), &admin).await.ok(204);
    assert_eq!(sees("reviewCount").await, 0);
}

#[tokio::test]
async fn a_sku_leads_to_the_product_that_has_it_now() {
    let shop = Shop::open().await;
    let admin = shop.admin();
    let of_sku = async |sku: &str| shop.get(&format!("/api/products/sku/{sku}")).await;
    of_sku("A").await.refused(404, "PRODUCT_NOT_FOUND");
    let first = shop.add("First", json!({"sku": "A"})).await["id"].clone();
    assert_eq!(of_sku("A").await.ok(200)["id"], first);
    shop.patch(&format!("/api/products/{first}"), &admin, json!({"sku": "B"})).await.ok(200);
    of_sku("A").await.refused(404, "PRODUCT_NOT_FOUND");
    assert_eq!(of_sku("B").await.ok(200)["id"], first);
    let second = shop.add("Second", json!({"sku": "A"})).await["id"].clone();
    assert_eq!(of_sku("A").await.ok(200)["id"], second);
    shop.patch(&format!("/api/products/{first}"), &admin, json!({"sku": null})).await.ok(200);
    of_sku("B").await.refused(404, "PRODUCT_NOT_FOUND");
    of_sku("a").await.refused(404, "PRODUCT_NOT_FOUND");
}

#[tokio::test]
async fn sku_of_a_deleted_product_can_be_used_again() {
    let shop = Shop::open().await;
    let admin = shop.admin();
    let path = "/api/products/sku/A";
    let of_sku = async |token: Option<&str>| shop.send(Method::GET, path, token, None).await;
    let first = shop.add("First", json!({"sku": "A"})).await["id"].clone();
    let first_path = format!("/api/products/{first}");
    assert_eq!(of_sku(None).await.ok(200)["id"], first);
    shop.delete(&first_path, &admin).await.ok(204);
    of_sku(None).await.refused(404, "PRODUCT_NOT_FOUND");
    let hidden = of_sku(Some(&admin)).await.ok(200);
    assert_eq!((&hidden["id"], &hidden["sku"], &hidden["active"]), (&first, &json!("A"), &json!(false)));

    let second = shop.add("Second", json!({"sku": "A"})).await["id"].clone();
    for token in [None, Some(admin.as_str())] {
        assert_eq!(of_sku(token).await.ok(200)["id"], second);
    }
    let mut body = Shop::body("Third");
    body["sku"] = json!("A");
    shop.post("/api/products", &admin, body).await.refused(409, "SKU_EXISTS");
    shop.patch(&first_path, &admin, json!({"active": true})).await.refused(409, "SKU_EXISTS");
    shop.patch(&first_path, &admin, json!({"name": "Renamed"})).await.ok(200);
    let both = shop.patch(&first_path, &admin, json!({"active": true, "sku": "B"})).await.ok(200);
    assert_eq!((&both["sku"], &both["active"]), (&json!("B"), &json!(true)));
    assert_eq!(of_sku(None).await.ok(200)["id"], second);

    shop.delete(&first_path, &admin).await.ok(204);
    shop.patch(&first_path, &admin, json!({"sku": "A"})).await.ok(200);
    shop.delete(&format!("/api/products/{second}"), &admin).await.ok(204);
    shop.patch(&first_path, &admin, json!({"active": true})).await.ok(200);
    assert_eq!(of_sku(None).await.ok(200)["id"], first);
}

#[tokio::test]
async fn sku_that_cannot_stand_in_a_path_is_rejected() {
    let shop = Shop::open().await;
    let id = shop.stocked(1).await;
    for wrong in [".", "..", "...", " .. ", "a/../b", "..\\a", "%2e%2e", "\u{2025}"] {
        let mut body = Shop::body("Mug");
        body["sku"] = json!(wrong);
        shop.post("/api/products", &shop.admin(), body).await.invalid("sku");
        shop.patch(&format!("/api/products/{id}"), &shop.admin(), json!({"sku": wrong})).await.invalid("sku");
    }
    assert_eq!(shop.get("/api/products").await.ok(200)["totalElements"], 1);
}

#[tokio::test]
async fn a_batch_has_the_active_ones_once_by_id() {
    let shop = Shop::open().await;
    let mut all = Vec::new();
    for name in ["A", "B", "C", "D"] {
        all.push(shop.add(name, json!({})).await["id"].as_i64().unwrap());
    }
    shop.delete(&format!("/api/products/{}", all[1]), &shop.admin()).await.ok(204);
    let wanted = format!("{},{},{},{},999,{}", all[3], all[1], all[0], all[3], all[2]);
    let batch = shop.get(&format!("/api/products/batch?ids={wanted}")).await.ok(200);
    assert_eq!(crate::support::ids(&batch), [all[0], all[2], all[3]]);
    assert_eq!(batch[0], shop.product(all[0]).await);
    assert_eq!(shop.get("/api/products/batch?ids=999").await.ok(200), json!([]));

    let many = |n: usize| (1..=n).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
    assert_eq!(
        crate::support::ids(&shop.get(&format!("/api/products/batch?ids={}", many(100))).await.ok(200)).len(),
        3
    );
    for wrong in ["", "?ids=", "?ids=1,,2", "?ids=a", "?ids=1;2", "?ids=1.5", &format!("?ids={}", many(101))] {
        shop.get(&format!("/api/products/batch{wrong}")).await.invalid("ids");
    }
}

#[tokio::test]
async fn categories_and_brands_are_those_of_active_products() {
    let shop = Shop::open().await;
    assert_eq!(shop.get("/api/products/categories").await.ok(200), json!([]));
    for (category, brand) in [("Tea", Some("Leaf")), ("Books", None), ("Tea", Some("Äther")), ("Old", Some("Gone"))] {
        shop.add("X", json!({"category": category, "brand": brand})).await;
    }
    shop.delete("/api/products/4", &shop.admin()).await.ok(204);
    let list = async |what: &str| -> Value { shop.get(&format!("/api/products/{what}")).await.ok(200) };
    assert_eq!(list("categories").await, json!(["Books", "Tea"]));
    assert_eq!(list("brands").await, json!(["Leaf", "Äther"]));
}
