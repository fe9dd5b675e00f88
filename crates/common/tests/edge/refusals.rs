use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::get;
use common::http::{ApiError, Path, Query};
use contracts::{OrderId, ProductId};
use http::StatusCode;
use serde::Deserialize;

use crate::support::{app, get as fetch, post, send, settings};

#[derive(Deserialize)]
struct Page {
    page: Option<u32>,
}

fn routes() -> Router {
    Router::new()
        .route("/api/products", get(|Query(query): Query<Page>| async move { query.page.unwrap_or(0).to_string() }))
        .route("/api/products/{id}", get(|Path(id): Path<ProductId>| async move { id.to_string() }))
        .route("/api/orders/{id}", get(|Path(id): Path<OrderId>| async move { id.to_string() }))
        .route(
            "/api/products/{id}/images/{image}",
            get(|Path((_, image)): Path<(ProductId, i64)>| async move { image.to_string() }),
        )
        .route("/api/products/sku/{sku}", get(|Path(sku): Path<String>| async move { sku }))
        .route("/panic", get(|| async { panic!("the secret is hidden") as String }))
        .route("/bare", get(|| async { StatusCode::IM_A_TEAPOT }))
        .route("/own", get(|| async { (StatusCode::BAD_REQUEST, axum::Json("invalid_client")) }))
        .route("/internal", get(|| async { ApiError::internal("the secret is hidden") }))
}

#[tokio::test]
async fn unknown_path_is_a_problem() {
    let app = app(routes(), &settings());
    fetch(&app, "/nothing").await.refused(404, "NOT_FOUND");
    fetch(&app, "/").await.refused(404, "NOT_FOUND");
    fetch(&app, "/api/products/1/nothing").await.refused(404, "NOT_FOUND");
    post(&app, "/nothing", Some("application/json"), "{}").await.refused(404, "NOT_FOUND");
}

#[tokio::test]
async fn method_not_allowed_is_a_problem_with_the_allowed_methods() {
    let app = app(routes(), &settings());
    let answer = post(&app, "/api/products/1", None, "").await;
    answer.refused(405, "METHOD_NOT_ALLOWED");
    assert_eq!(answer.header("allow"), "GET,HEAD");
    let odd = Request::builder().method("BREW").uri("/api/products").body(Body::empty()).unwrap();
    send(&app, odd).await.refused(405, "METHOD_NOT_ALLOWED");
}

#[tokio::test]
async fn invalid_path_parameter_is_a_problem_that_names_it() {
    let app = app(routes(), &settings());
    for (path, field, message) in [
        ("/api/products/abc", "id", "must be an integer"),
        ("/api/products/99999999999999999999", "id", "must be an integer"),
        ("/api/products/%ff", "id", "must be valid UTF-8"),
        ("/api/orders/7", "id", "must be a UUID"),
        ("/api/products/1/images/x", "image", "must be an integer"),
        ("/api/products/sku/a%00b", "sku", "must not have control characters"),
    ] {
        let problem = fetch(&app, path).await.refused(400, "VALIDATION_FAILED");
        assert_eq!(problem["errors"], serde_json::json!([{"field": field, "message": message}]), "{path}");
        assert_eq!(problem["detail"], format!("{field} {message}"));
    }
    assert_eq!(fetch(&app, "/api/products/7").await.text(), "7");
    assert_eq!(fetch(&app, "/api/products/sku/caf%C3%A9").await.text(), "café");
}

#[tokio::test]
async fn every_response_has_nosniff() {
    let app = app(routes(), &settings());
    for path in
        ["/api/products/7", "/api/products/abc", "/nothing", "/health", "/metrics", "/docs/", "/docs/openapi.json"]
    {
        assert_eq!(fetch(&app, path).await.header("x-content-type-options"), "nosniff", "{path}");
        let odd = Request::builder().method("BREW").uri(path).body(Body::empty()).unwrap();
        let answer = send(&app, odd).await;
        assert_eq!((answer.header("x-content-type-options"), answer.header("cache-control")), ("nosniff", "no-store"));
    }
}

#[tokio::test]
async fn invalid_query_is_a_problem_that_names_the_parameter() {
    let app = app(routes(), &settings());
    for query in ["page=abc", "page=%zz", "page=1&page=2"] {
        let problem = fetch(&app, &format!("/api/products?{query}")).await.refused(400, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], "page", "{query}");
    }
    assert_eq!(fetch(&app, "/api/products?page=2&unknown=x").await.text(), "2");
}

#[tokio::test]
async fn failing_handler_shows_no_cause() {
    let app = app(routes(), &settings());
    for path in ["/panic", "/internal"] {
        let answer = fetch(&app, path).await;
        answer.refused(500, "INTERNAL");
        assert!(!answer.text().contains("hidden"), "{}", answer.text());
    }
}

#[tokio::test]
async fn bare_status_becomes_a_problem_and_other_bodies_are_unchanged() {
    let app = app(routes(), &settings());
    fetch(&app, "/bare").await.refused(418, "MALFORMED_BODY");
    let own = fetch(&app, "/own").await;
    assert_eq!((own.status.as_u16(), own.text().as_str()), (400, "\"invalid_client\""));
}

#[tokio::test]
async fn trailing_slash_is_ignored() {
    let app = app(routes(), &settings());
    assert_eq!(fetch(&app, "/api/products/?page=3").await.text(), "3");
    assert_eq!(fetch(&app, "/api/products/7/").await.text(), "7");
    assert_eq!(fetch(&app, "/health/").await.json()["status"], "healthy");
}

#[tokio::test]
async fn missing_repeated_or_malformed_host_is_rejected() {
    let app = app(routes(), &settings());
    for hosts in [&[][..], &["a", "a"], &["a b"], &[""], &["a/b"]] {
        let mut request = Request::get("/api/products").body(Body::empty()).unwrap();
        for host in hosts {
            request.headers_mut().append("host", http::HeaderValue::from_static(host));
        }
        let answer = tower::ServiceExt::oneshot(app.clone(), request).await.unwrap();
        assert_eq!(answer.status(), 400, "{hosts:?}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        assert!(answer.headers().contains_key("x-request-id"));
    }
}
