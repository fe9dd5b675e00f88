//! Endpoints that every service has.

use reqwest::Method;
use serde_json::json;
use testkit::ResponseExt as _;

use crate::support::Fleet;

#[tokio::test]
async fn service_is_healthy_and_documented() {
    let fleet = Fleet::start().await;
    let health = fleet.send(Method::GET, "/health", None, None).await.json(200);
    assert_eq!((&health["status"], &health["service"]), (&json!("healthy"), &json!("payment-service")));
    fleet.send(Method::GET, "/health/ready", None, None).await.json(200);
    let docs = fleet.send(Method::GET, "/docs/openapi.json", None, None).await.json(200);
    for path in [
        "/api/payments",
        "/api/payments/config",
        "/api/payments/summary",
        "/api/payments/{id}",
        "/api/payments/order/{order_id}",
        "/api/payments/{id}/confirm",
        "/api/payments/{id}/refund",
        "/api/refunds",
        "/api/webhooks/stripe",
        "/ops/outbox",
    ] {
        assert!(docs["paths"].get(path).is_some(), "{path} is not documented");
    }
}

#[tokio::test]
async fn outbox_is_visible_to_admins_and_services_only() {
    let fleet = Fleet::start().await;
    let (_, user, _) = fleet.started().await;
    fleet.send(Method::GET, "/ops/outbox", None, None).await.problem(401, "UNAUTHENTICATED");
    fleet.get("/ops/outbox", &fleet.token(user)).await.problem(403, "FORBIDDEN");
    assert_eq!(fleet.get("/ops/outbox", &fleet.admin()).await.json(200)["pending"], 1);
    assert_eq!(fleet.get("/ops/outbox", &fleet.service()).await.json(200)["pending"], 1);
}

#[tokio::test]
async fn unknown_route_returns_a_problem() {
    let fleet = Fleet::start().await;
    fleet.get("/api/nothing", &fleet.admin()).await.problem(404, "NOT_FOUND");
    fleet.send(Method::DELETE, "/api/payments", Some(&fleet.admin()), None).await.problem(405, "METHOD_NOT_ALLOWED");
}
