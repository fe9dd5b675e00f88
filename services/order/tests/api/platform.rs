//! Endpoints common to all services

use reqwest::Method;
use serde_json::json;
use testkit::ResponseExt as _;

use crate::support::TestApp;

#[tokio::test]
async fn health_and_documentation_are_served() {
    let app = TestApp::start().await;
    let health = app.send(Method::GET, "/health", None, None).await.json(200);
    assert_eq!((&health["status"], &health["service"]), (&json!("healthy"), &json!("order-service")));
    let ready = app.send(Method::GET, "/health/ready", None, None).await.json(200);
    let dependencies: Vec<_> =
        ready["dependencies"].as_array().unwrap().iter().map(|one| (&one["name"], &one["critical"])).collect();
    assert_eq!(
        dependencies,
        [
            ("database", true),
            ("bus", false),
            ("cache", false),
            ("discovery", false),
            ("user-service", false),
            ("product-service", false),
            ("payment-service", false),
        ]
        .map(|(name, critical)| (json!(name), json!(critical)))
        .iter()
        .map(|(name, critical)| (name, critical))
        .collect::<Vec<_>>()
    );
    let docs = app.send(Method::GET, "/docs/openapi.json", None, None).await.json(200);
    for (path, methods) in [
        ("/api/orders", &["get", "post"][..]),
        ("/api/orders/summary", &["get"]),
        ("/api/orders/{id}", &["get", "put", "patch"]),
        ("/api/orders/number/{order_number}", &["get"]),
        ("/api/orders/{id}/cancel", &["post"]),
        ("/api/orders/{id}/payments", &["get", "post"]),
        ("/api/carts", &["post"]),
        ("/api/carts/mine", &["get"]),
        ("/api/carts/{id}", &["get", "delete"]),
        ("/api/carts/{id}/items/{product_id}", &["put"]),
        ("/api/carts/{id}/claim", &["post"]),
        ("/ops/orders/{id}/abandon", &["post"]),
        ("/ops/outbox", &["get"]),
    ] {
        for method in methods {
            assert!(docs["paths"][path].get(method).is_some(), "{method} {path} is not documented");
        }
    }
    let parameters = |path: &str| {
        let parameters = docs["paths"][path]["get"]["parameters"].as_array().unwrap();
        parameters.iter().map(|parameter| parameter["name"].as_str().unwrap()).collect::<Vec<_>>()
    };
    let of_the_list = ["page", "per_page", "status", "user_id", "q", "payment_status", "from", "to", "after"];
    assert_eq!(parameters("/api/orders"), of_the_list);
    assert_eq!(parameters("/api/orders/summary"), ["from", "to"]);
}

#[tokio::test]
async fn outbox_requires_authorization() {
    let app = TestApp::start().await;
    let (user, _) = app.placed().await;
    app.send(Method::GET, "/ops/outbox", None, None).await.problem(401, "UNAUTHENTICATED");
    app.get("/ops/outbox", &app.token(user)).await.problem(403, "FORBIDDEN");
    assert_eq!(app.get("/ops/outbox", &app.admin()).await.json(200)["pending"], 1);
    assert_eq!(app.get("/ops/outbox", &app.service()).await.json(200)["pending"], 1);
}

#[tokio::test]
async fn unknown_routes_have_the_common_error_form() {
    let app = TestApp::start().await;
    app.get("/api/nothing", &app.admin()).await.problem(404, "NOT_FOUND");
    app.send(Method::DELETE, "/api/orders", Some(&app.admin()), None).await.problem(405, "METHOD_NOT_ALLOWED");
}
