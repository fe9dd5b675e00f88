//! What every service answers, and what the older one answered too.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Shop, ids};

#[tokio::test]
async fn it_is_healthy_and_documented() {
    let shop = Shop::open().await;
    let health = shop.get("/health").await.ok(200);
    assert_eq!((&health["status"], &health["service"]), (&json!("healthy"), &json!("product-service")));
    shop.get("/health/ready").await.ok(200);
    let docs = shop.get("/docs/openapi.json").await.ok(200);
    for (path, methods) in [
        ("/api/products", &["get", "post"][..]),
        ("/api/products/{id}", &["get", "put", "patch", "delete"]),
        ("/api/products/sku/{sku}", &["get"]),
        ("/api/products/batch", &["get"]),
        ("/api/products/categories", &["get"]),
        ("/api/products/brands", &["get"]),
        ("/api/products/latest", &["get"]),
        ("/api/products/top-rated", &["get"]),
        ("/api/products/{id}/stock", &["get", "patch"]),
        ("/api/products/reservations", &["post"]),
        ("/api/products/reservations/{orderId}", &["get", "delete"]),
        ("/api/products/{id}/images", &["post"]),
        ("/api/products/{id}/images/{imageId}", &["delete"]),
        ("/api/products/{id}/reviews", &["get", "post"]),
        ("/api/products/{id}/reviews/{reviewId}", &["delete"]),
        ("/actuator/health", &["get"]),
        ("/ops/outbox", &["get"]),
    ] {
        for method in methods {
            assert!(docs["paths"][path].get(method).is_some(), "{method} {path} is not documented");
        }
    }
}

#[tokio::test]
async fn monitoring_of_the_older_service_finds_what_it_asks() {
    let shop = Shop::open().await;
    let health = shop.get("/actuator/health").await.ok(200);
    assert_eq!(health["status"], "UP");
    for component in ["database", "bus", "cache", "discovery"] {
        assert_eq!(health["components"][component], json!({"status": "UP"}), "{component}");
    }
    // The neighbours of this test are no whole services.
    for component in ["user-service", "order-service"] {
        assert_eq!(health["components"][component], json!({"status": "UNKNOWN"}), "{component}");
    }
    let info = shop.get("/actuator/info").await.ok(200);
    assert_eq!((&info["app"]["name"], &info["currency"]), (&json!("product-service"), &json!("USD")));
    let metrics = shop.get("/actuator/prometheus").await;
    assert!(metrics.header("content-type").starts_with("text/plain"));
    assert!(metrics.body.as_str().unwrap().contains("http_server_request_duration_seconds"), "{}", metrics.body);
}

#[tokio::test]
async fn the_outbox_is_shown_to_those_who_may() {
    let shop = Shop::open().await;
    shop.stocked(1).await;
    shop.only_for(Method::GET, "/ops/outbox", None, &[shop.token(shop.user())]).await;
    for token in [shop.admin(), shop.trusted()] {
        let state = shop.send(Method::GET, "/ops/outbox", Some(&token), None).await.ok(200);
        assert_eq!(state["pending"], 1);
    }
}

#[tokio::test]
async fn what_is_not_there_is_told_in_the_one_form() {
    let shop = Shop::open().await;
    shop.get("/api/nothing").await.refused(404, "NOT_FOUND");
    shop.get("/api/products/1/nothing").await.refused(404, "NOT_FOUND");
    shop.get("/api/products/reservations").await.refused(405, "METHOD_NOT_ALLOWED");
    shop.send(Method::DELETE, "/api/products", Some(&shop.admin()), None).await.refused(405, "METHOD_NOT_ALLOWED");
}

#[tokio::test]
async fn a_new_shop_begins_with_sample_products_if_it_is_told_to() {
    let sample = [("SAMPLE_DATA", "true")];
    let shop = Shop::open_with(&sample, false).await;
    let page = shop.get("/api/products?size=100").await.ok(200);
    assert_eq!(ids(&page["data"]), (1..=30).collect::<Vec<_>>());
    let first = &page["data"][0];
    assert_eq!((first["price"].as_f64(), &first["stockQuantity"]), (Some(29.99), &json!(250)));
    for at in [1, 2] {
        assert!((100..1000).contains(&page["data"][at]["stockQuantity"].as_i64().unwrap()));
    }
    let categories = shop.get("/api/products/categories").await.ok(200);
    assert_eq!(categories.as_array().unwrap().len(), 6);
    assert!(categories.as_array().unwrap().contains(&json!("Kitchen")));
    let created = |events: Vec<(String, Value)>| events.iter().filter(|(kind, _)| kind == "product.created").count();
    assert_eq!(created(shop.events().await), 30);

    for id in 1..=30 {
        shop.delete(&format!("/api/products/{id}"), &shop.admin()).await.ok(204);
    }
    let shop = shop.reopen(&sample).await;
    assert_eq!(shop.get("/api/products").await.ok(200)["totalElements"], 0);
    assert_eq!(created(shop.events().await), 30);
}

#[tokio::test]
async fn a_shop_that_is_not_told_to_begins_empty() {
    let shop = Shop::open().await;
    assert_eq!(shop.get("/api/products").await.ok(200)["totalElements"], 0);
}
