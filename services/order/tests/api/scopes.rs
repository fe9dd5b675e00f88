//! Scopes of service tokens

use contracts::Scope;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::ResponseExt as _;

use crate::support::carts::cart_path;
use crate::support::{TestApp, path};

/// Routes common to all services, which have tests of their own.
const COMMON: &[&str] =
    &["/ops/outbox", "/ops/queues", "/ops/dead-letters", "/ops/faults", "/health", "/metrics", "/docs"];

const ROUTES: &[(&str, &str, Scope)] = &[
    ("post", "/api/orders", Scope::OrdersPlace),
    ("get", "/api/orders", Scope::OrdersRead),
    ("get", "/api/orders/{id}", Scope::OrdersRead),
    ("put", "/api/orders/{id}", Scope::OrdersManage),
    ("patch", "/api/orders/{id}", Scope::OrdersManage),
    ("get", "/api/orders/number/{order_number}", Scope::OrdersRead),
    ("post", "/api/orders/{id}/cancel", Scope::OrdersManage),
    ("post", "/api/orders/{id}/payments", Scope::PaymentsCreate),
    ("get", "/api/orders/{id}/payments", Scope::PaymentsRead),
    ("get", "/api/orders/{id}/timeline", Scope::OrdersRead),
    ("post", "/ops/orders/{id}/abandon", Scope::OrdersAbandon),
    ("get", "/ops/audit", Scope::OpsRead),
];

/// Routes that need no token.
const WITHOUT_SCOPE: &[(&str, &str)] = &[
    ("post", "/api/carts"),
    ("get", "/api/carts/{id}"),
    ("delete", "/api/carts/{id}"),
    ("put", "/api/carts/{id}/items/{product_id}"),
];
/// Routes for persons only.
const PERSONS: &[(&str, &str)] = &[("get", "/api/carts/mine"), ("post", "/api/carts/{id}/claim")];
/// Routes for admins, which reject every service token.
const ADMIN_ROUTES: &[(&str, &str)] = &[("get", "/api/orders/summary")];

fn body(method: &str, path: &str, order: &Value) -> Option<Value> {
    match (method, path) {
        ("post", "/api/orders") => Some(TestApp::form(order["user_id"].as_str().unwrap().parse().unwrap())),
        ("post", "/api/orders/{id}/payments") => Some(json!({"payment_method": "card"})),
        ("put" | "patch", _) => Some(json!({"notes": "ring twice"})),
        _ => None,
    }
}

#[tokio::test]
async fn service_token_needs_the_scope_of_the_route() {
    let app = TestApp::start().await;
    for (method, route, needed) in ROUTES {
        let (_, order) = app.placed().await;
        let id = order["id"].as_str().unwrap();
        let url = route.replace("{id}", id).replace("{order_number}", order["order_number"].as_str().unwrap());
        let body = body(method, route, &order);
        let call = async |token: &str| {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            app.send(method, &url, Some(token), body.clone()).await
        };
        let others: Vec<_> = Scope::ALL.iter().copied().filter(|scope| scope != needed).collect();
        for scopes in [&[][..], &others] {
            call(&app.service_with(scopes)).await.problem(403, "INSUFFICIENT_SCOPE");
        }
        let reply = call(&app.service_with(&[*needed])).await;
        assert!(matches!(reply.status, 200 | 201), "{method} {route}: {} {}", reply.status, reply.body);
    }
}

#[tokio::test]
async fn routes_of_persons_reject_services() {
    let app = TestApp::start().await;
    let cart = app.new_cart(None).await;
    for (method, route) in PERSONS {
        let (method, url) =
            (method.to_uppercase().parse::<Method>().unwrap(), route.replace("{id}", cart["id"].as_str().unwrap()));
        for token in [app.service_with(&[]), app.service_with(Scope::ALL)] {
            app.send(method.clone(), &url, Some(&token), None).await.problem(403, "FORBIDDEN");
        }
        app.send(method, &url, None, None).await.problem(401, "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn no_service_token_opens_a_route_for_admins() {
    let app = TestApp::start().await;
    for (method, route) in ADMIN_ROUTES {
        let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
        let reply = app.send(method, route, Some(&app.service_with(Scope::ALL)), None).await;
        reply.problem(403, "FORBIDDEN");
    }
}

#[tokio::test]
async fn routes_without_a_scope_take_service_tokens_as_no_person() {
    let app = TestApp::start().await;
    let token = app.service_with(&[]);
    let cart = app.new_cart(Some(&token)).await;
    assert_eq!(cart["user_id"], Value::Null);
    app.get_cart(&cart, Some(&token)).await.json(200);
    app.set_item(&cart, Some(&token), 1, 1).await.json(200);
    assert_eq!(app.send(Method::DELETE, &cart_path(&cart), Some(&token), None).await.status, 204);
}

#[tokio::test]
async fn every_route_of_the_service_is_covered() {
    let app = TestApp::start().await;
    let docs = app.send(Method::GET, "/docs/openapi.json", None, None).await.json(200);
    let mut documented = Vec::new();
    for (path, operations) in docs["paths"].as_object().unwrap() {
        if COMMON.iter().any(|common| path.starts_with(common)) {
            continue;
        }
        let methods = operations.as_object().unwrap().keys();
        let methods = methods.filter(|key| ["get", "post", "put", "patch", "delete"].contains(&key.as_str()));
        documented.extend(methods.map(|method| (method.clone(), path.clone())));
    }
    for (method, path) in documented {
        let route = (&*method, &*path);
        let with_scope = ROUTES.iter().map(|known| (known.0, known.1));
        let mut covered = with_scope.chain([WITHOUT_SCOPE, PERSONS, ADMIN_ROUTES].concat());
        assert!(covered.any(|known| known == route), "{method} {path} is not covered");
    }
}

/// A service token represents no customer; its scopes alone decide what it may do.
#[tokio::test]
async fn service_token_acts_as_staff_and_never_as_the_customer() {
    let app = TestApp::start().await;
    let (_, order) = app.placed_in("confirmed").await;
    let manage = app.service_with(&[Scope::OrdersManage]);
    let changed = app.put(&path(&order), &manage, json!({"status": "processing"})).await.json(200);
    assert_eq!(changed["status"], "processing");
    app.get(&path(&order), &manage).await.problem(403, "INSUFFICIENT_SCOPE");
    let read = app.service_with(&[Scope::OrdersRead]);
    assert_eq!(app.get(&path(&order), &read).await.json(200), changed);
    app.post(&format!("{}/cancel", path(&order)), &read, json!({})).await.problem(403, "INSUFFICIENT_SCOPE");
    app.post(&format!("{}/cancel", path(&order)), &manage, json!({})).await.json(200);
}
