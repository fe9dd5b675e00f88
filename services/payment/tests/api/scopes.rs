//! Scopes that routes require of service tokens.

use contracts::Scope;
use reqwest::Method;
use serde_json::json;
use testkit::ResponseExt as _;

use crate::support::Fleet;

/// Returns the authenticated routes of this service: method, path, and the scope required of a service token; `None`
/// where services are rejected.
fn routes(payment: &str, order: &str, refund: &str) -> Vec<(Method, String, Option<Scope>)> {
    vec![
        (Method::POST, "/api/payments".to_owned(), Some(Scope::PaymentsCreate)),
        (Method::GET, format!("/api/payments/{payment}"), Some(Scope::PaymentsRead)),
        (Method::GET, format!("/api/payments/order/{order}"), Some(Scope::PaymentsRead)),
        (Method::PUT, format!("/api/payments/{payment}/confirm"), Some(Scope::PaymentsConfirm)),
        (Method::POST, format!("/api/payments/{payment}/refund"), Some(Scope::PaymentsRefund)),
        (Method::POST, format!("/api/refunds/{refund}/retry"), None),
        (Method::POST, format!("/api/refunds/{refund}/settle"), None),
        (Method::GET, "/api/payments".to_owned(), None),
        (Method::GET, "/api/payments/summary".to_owned(), None),
        (Method::GET, "/api/refunds".to_owned(), None),
        (Method::GET, "/ops/audit".to_owned(), Some(Scope::OpsRead)),
    ]
}

#[tokio::test]
async fn each_route_requires_its_scope_of_a_service() {
    let fleet = Fleet::start().await;
    let (order, _, paid) = fleet.paid().await;
    let refunded = fleet.refund(&paid, Some(json!({"amount": 10}))).await.json(200);
    let routes = routes(&paid, &order.to_string(), refunded["refunds"][0]["id"].as_str().unwrap());
    for (method, path, scope) in &routes {
        let others: Vec<_> = Scope::ALL.iter().copied().filter(|other| Some(*other) != *scope).collect();
        let body = (*method != Method::GET).then(|| json!({}));
        let code = if scope.is_some() { "INSUFFICIENT_SCOPE" } else { "FORBIDDEN" };
        let without = fleet.keys.service_token_with(&others);
        fleet.send(method.clone(), path, Some(&without), body.clone()).await.problem(403, code);
        if let Some(scope) = scope {
            let with = fleet.keys.service_token_with(&[*scope]);
            let reply = fleet.send(method.clone(), path, Some(&with), body).await;
            assert!(reply.status != 403 && reply.status != 401, "{method} {path}: {}", reply.body);
        }
    }
}

#[tokio::test]
async fn every_documented_route_with_a_token_is_in_the_table() {
    let fleet = Fleet::start().await;
    let document = fleet.get("/docs/openapi.json", &fleet.admin()).await.json(200);
    let known: Vec<_> =
        routes("{id}", "{order_id}", "{id}").into_iter().map(|(method, path, _)| (method, path)).collect();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let own = path.starts_with("/api/") || path == "/ops/audit";
            if own && operation["security"].is_array() {
                let method = method.to_uppercase().parse::<Method>().unwrap();
                assert!(known.contains(&(method.clone(), path.clone())), "{method} {path} is not covered");
            }
        }
    }
}

#[tokio::test]
async fn service_without_the_scope_to_read_orders_pays_for_a_customer() {
    let fleet = Fleet::start().await;
    let user = fleet.user();
    let order = fleet.order(user, 10_000);
    let token = fleet.keys.service_token_with(&[Scope::PaymentsCreate]);
    fleet.post("/api/payments", &token, Fleet::body(order, user)).await.json(201);
}
