//! Endpoints of every service, and those of the original service.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::ResponseExt as _;

use crate::support::{TestService, ids};

#[tokio::test]
async fn service_is_healthy_and_documented() {
    let service = TestService::open().await;
    let health = service.get("/health").await.json(200);
    assert_eq!((&health["status"], &health["service"]), (&json!("healthy"), &json!("product-service")));
    service.get("/health/ready").await.json(200);
    let docs = service.get("/docs/openapi.json").await.json(200);
    for (path, methods) in [
        ("/api/products", &["get", "post"][..]),
        ("/api/products/{id}", &["get", "put", "patch", "delete"]),
        ("/api/products/sku/{sku}", &["get"]),
        ("/api/products/batch", &["get"]),
        ("/api/products/facets", &["get"]),
        ("/api/products/categories", &["get"]),
        ("/api/products/brands", &["get"]),
        ("/api/products/latest", &["get"]),
        ("/api/products/top-rated", &["get"]),
        ("/api/products/{id}/stock", &["get", "patch"]),
        ("/api/products/{id}/stock/adjustments", &["get"]),
        ("/api/reviews", &["get"]),
        ("/api/reviews/mine", &["get"]),
        ("/api/products/reservations", &["post"]),
        ("/api/products/reservations/{orderId}", &["get", "delete"]),
        ("/api/products/{id}/images", &["post"]),
        ("/api/products/{id}/images/{imageId}", &["put", "patch", "delete"]),
        ("/media/{name}", &["get"]),
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
async fn actuator_endpoints_serve_the_original_monitoring() {
    let service = TestService::open().await;
    let health = service.get("/actuator/health").await.json(200);
    assert_eq!(health["status"], "UP");
    for component in ["database", "bus", "cache", "discovery"] {
        assert_eq!(health["components"][component], json!({"status": "UP"}), "{component}");
    }
    // The stubs have no health endpoint.
    for component in ["user-service", "order-service"] {
        assert_eq!(health["components"][component], json!({"status": "UNKNOWN"}), "{component}");
    }
    let info = service.get("/actuator/info").await.json(200);
    assert_eq!((&info["app"]["name"], &info["currency"]), (&json!("product-service"), &json!("USD")));
    let metrics = service.get("/actuator/prometheus").await;
    assert!(metrics.header("content-type").unwrap().starts_with("text/plain"));
    assert!(metrics.body.as_str().unwrap().contains("http_server_request_duration_seconds"), "{}", metrics.body);
}

#[tokio::test]
async fn outbox_is_visible_to_admins_and_services() {
    let service = TestService::open().await;
    service.product_with_stock(1).await;
    service.assert_forbidden(Method::GET, "/ops/outbox", None, &[service.token(service.user())]).await;
    for token in [service.admin(), service.service_token()] {
        let state = service.send(Method::GET, "/ops/outbox", Some(&token), None).await.json(200);
        assert_eq!(state["pending"], 1);
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_return_problems() {
    let service = TestService::open().await;
    service.get("/api/nothing").await.problem(404, "NOT_FOUND");
    service.get("/api/products/1/nothing").await.problem(404, "NOT_FOUND");
    service.get("/api/products/reservations").await.problem(405, "METHOD_NOT_ALLOWED");
    service
        .send(Method::DELETE, "/api/products", Some(&service.admin()), None)
        .await
        .problem(405, "METHOD_NOT_ALLOWED");
}

#[tokio::test]
async fn empty_catalog_is_seeded_once_if_configured() {
    let sample = [("SAMPLE_DATA", "true")];
    let service = TestService::open_with(&sample, false).await;
    let page = service.get("/api/products?size=100").await.json(200);
    assert_eq!(ids(&page["data"]), (1..=30).collect::<Vec<_>>());
    let first = &page["data"][0];
    assert_eq!((first["price"].as_f64(), &first["stockQuantity"]), (Some(29.99), &json!(250)));
    for at in [1, 2] {
        assert!((100..1000).contains(&page["data"][at]["stockQuantity"].as_i64().unwrap()));
    }
    let categories = service.get("/api/products/categories").await.json(200);
    assert_eq!(categories.as_array().unwrap().len(), 6);
    assert!(categories.as_array().unwrap().contains(&json!("Kitchen")));
    for product in page["data"].as_array().unwrap() {
        let images = product["images"].as_array().unwrap();
        let (url, alt) = (images[0]["url"].as_str().unwrap(), images[0]["altText"].as_str().unwrap());
        assert_eq!((images.len(), &images[0]["primary"], alt.is_empty()), (1, &json!(true), false));
        assert_eq!(service.get(url).await.header("content-type"), Some("image/png"), "{url}");
    }
    let created = |events: Vec<(String, Value)>| events.iter().filter(|(kind, _)| kind == "product.created").count();
    assert_eq!(created(service.events().await), 30);

    for id in 1..=30 {
        service.delete(&format!("/api/products/{id}"), &service.admin()).await.json(204);
    }
    let service = service.reopen(&sample).await;
    assert_eq!(service.get("/api/products").await.json(200)["totalElements"], 0);
    assert_eq!(created(service.events().await), 30);
}

#[tokio::test]
async fn catalog_is_empty_by_default() {
    let service = TestService::open().await;
    assert_eq!(service.get("/api/products").await.json(200)["totalElements"], 0);
}
