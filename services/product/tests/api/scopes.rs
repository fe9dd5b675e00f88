//! Scopes of service tokens.

use contracts::Scope;
use reqwest::Method;
use serde_json::json;
use testkit::ResponseExt as _;

use crate::support::TestService;

/// The routes that admit a service, with the scope that each requires.
const SCOPED: &[(&str, &str, Scope)] = &[
    ("post", "/api/products/reservations", Scope::ProductsReserve),
    ("get", "/api/products/reservations/{orderId}", Scope::ProductsReserve),
    ("delete", "/api/products/reservations/{orderId}", Scope::ProductsReserve),
    ("patch", "/api/products/{id}/stock", Scope::ProductsStock),
    ("get", "/ops/audit", Scope::OpsRead),
];

#[tokio::test]
async fn every_route_names_a_scope_or_rejects_services() {
    let service = TestService::open().await;
    let docs = service.get("/docs/openapi.json").await.json(200);
    let mut checked = 0;
    for (path, operations) in docs["paths"].as_object().unwrap() {
        // The other operations endpoints are those of every service.
        if !path.starts_with("/api/") && path != "/ops/audit" {
            continue;
        }
        for (method, operation) in operations.as_object().unwrap() {
            if operation.get("security").is_none() {
                continue;
            }
            let url = path.replace("{orderId}", &service.order().to_string());
            let url = ["{id}", "{imageId}", "{reviewId}"].iter().fold(url, |url, name| url.replace(name, "1"));
            let verb: Method = method.to_uppercase().parse().unwrap();
            let body = (verb != Method::GET && verb != Method::DELETE).then(|| json!({}));
            let send = async |token: &str| service.send(verb.clone(), &url, Some(token), body.clone()).await;
            let scope = SCOPED.iter().find(|known| (known.0, known.1) == (method, path)).map(|known| known.2);
            let others: Vec<_> = Scope::ALL.iter().copied().filter(|other| Some(*other) != scope).collect();
            let code = if scope.is_some() { "INSUFFICIENT_SCOPE" } else { "FORBIDDEN" };
            for held in [&others[..], &[]] {
                send(&service.keys.service_token_with(held)).await.problem(403, code);
            }
            if let Some(scope) = scope {
                let status = send(&service.keys.service_token_with(&[scope])).await.status;
                assert!(status != 401 && status != 403, "{method} {path}: {status}");
                checked += 1;
            }
            service.send(verb.clone(), &url, None, body.clone()).await.problem(401, "UNAUTHENTICATED");
        }
    }
    assert_eq!(checked, SCOPED.len());
}
