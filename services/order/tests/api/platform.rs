//! What every service answers.

use reqwest::Method;
use serde_json::json;

use crate::support::Shop;

#[tokio::test]
async fn it_is_healthy_and_documented() {
    let shop = Shop::start().await;
    let health = shop.send(Method::GET, "/health", None, None).await.ok(200);
    assert_eq!((&health["status"], &health["service"]), (&json!("healthy"), &json!("order-service")));
    let ready = shop.send(Method::GET, "/health/ready", None, None).await.ok(200);
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
    let docs = shop.send(Method::GET, "/docs/openapi.json", None, None).await.ok(200);
    for (path, methods) in [
        ("/api/orders", &["get", "post"][..]),
        ("/api/orders/{id}", &["get", "put", "patch"]),
        ("/api/orders/number/{order_number}", &["get"]),
        ("/api/orders/{id}/cancel", &["post"]),
        ("/api/orders/{id}/payments", &["get", "post"]),
        ("/ops/orders/{id}/abandon", &["post"]),
        ("/ops/outbox", &["get"]),
    ] {
        for method in methods {
            assert!(docs["paths"][path].get(method).is_some(), "{method} {path} is not documented");
        }
    }
    let parameters = docs["paths"]["/api/orders"]["get"]["parameters"].as_array().unwrap();
    let names: Vec<_> = parameters.iter().map(|parameter| parameter["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["page", "per_page", "status", "user_id"]);
}

#[tokio::test]
async fn the_outbox_is_shown_to_those_who_may() {
    let shop = Shop::start().await;
    let (user, _) = shop.placed().await;
    shop.send(Method::GET, "/ops/outbox", None, None).await.refused(401, "UNAUTHENTICATED");
    shop.get("/ops/outbox", &shop.token(user)).await.refused(403, "FORBIDDEN");
    assert_eq!(shop.get("/ops/outbox", &shop.admin()).await.ok(200)["pending"], 1);
    assert_eq!(shop.get("/ops/outbox", &shop.service()).await.ok(200)["pending"], 1);
}

#[tokio::test]
async fn what_is_not_there_is_told_in_the_one_form() {
    let shop = Shop::start().await;
    shop.get("/api/nothing", &shop.admin()).await.refused(404, "NOT_FOUND");
    shop.send(Method::DELETE, "/api/orders", Some(&shop.admin()), None).await.refused(405, "METHOD_NOT_ALLOWED");
}
