//! Access control: scopes of service tokens, and revoked tokens.

use std::time::{Duration, Instant};

use common::auth::Role;
use common::auth::keys::SigningKey;
use common::config::ServiceName;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::fleet::{ApiClient, ApiResponse, Fleet, ResponseExt as _, own_servers, shopfleet_binary, until};
use testkit::tokens::claims;

/// Public routes, by method and path.
const PUBLIC: &[(&str, &str)] = &[
    ("POST", "/api/auth/register"),
    ("POST", "/api/auth/login"),
    ("POST", "/api/auth/refresh"),
    ("POST", "/api/auth/token"),
    ("POST", "/api/auth/password/forgot"),
    ("POST", "/api/auth/password/reset"),
    ("POST", "/api/auth/email/verify"),
    ("GET", "/.well-known/jwks.json"),
    ("GET", "/api/products"),
    ("GET", "/api/products/{id}"),
    ("GET", "/api/products/sku/{sku}"),
    ("GET", "/api/products/batch"),
    ("GET", "/api/products/facets"),
    ("GET", "/api/products/categories"),
    ("GET", "/api/products/brands"),
    ("GET", "/api/products/latest"),
    ("GET", "/api/products/top-rated"),
    ("GET", "/api/products/{id}/stock"),
    ("GET", "/api/products/{id}/reviews"),
    ("GET", "/media/{name}"),
    ("GET", "/actuator/health"),
    ("GET", "/actuator/info"),
    ("GET", "/actuator/prometheus"),
    // A service token is no person: the cart must be unclaimed.
    ("POST", "/api/carts"),
    ("GET", "/api/carts/{id}"),
    ("DELETE", "/api/carts/{id}"),
    ("PUT", "/api/carts/{id}/items/{product_id}"),
    ("GET", "/api/payments/config"),
    // Authenticated by the provider's signature.
    ("POST", "/api/webhooks/stripe"),
];
/// Routes of the platform without authentication.
const PLATFORM: &[&str] = &["/health", "/metrics", "/docs"];
/// Maximum delay until a revocation is effective in all services.
const WITHIN: Duration = Duration::from_secs(5);
/// Id without a resource.
const UNKNOWN: &str = "0190163d-8694-739b-aea5-966c26f8ad91";

/// Signs a service token without scopes by the fleet's own key.
fn token_without_scope(fleet: &Fleet) -> String {
    let pem = std::fs::read_to_string(fleet.data_dir().unwrap().join("jwt-key.pem")).unwrap();
    let key = SigningKey::from_pem(&pem.into()).unwrap();
    let mut claims = claims("a-client-without-scopes".to_owned(), Role::Service);
    claims.scope = Some(String::new());
    key.sign(&claims)
}

/// Replaces path parameters by values of their documented types.
fn filled(path: &str, parameters: &Value) -> String {
    let mut path = path.to_owned();
    for parameter in parameters.as_array().into_iter().flatten().filter(|parameter| parameter["in"] == "path") {
        let number = parameter["schema"]["type"] == "integer";
        let name = parameter["name"].as_str().unwrap();
        path = path.replace(&format!("{{{name}}}"), if number { "1" } else { UNKNOWN });
    }
    // Parameters defined by reference.
    while let (Some(begin), Some(end)) = (path.find('{'), path.find('}')) {
        path.replace_range(begin..=end, UNKNOWN);
    }
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn service_token_without_scope_reaches_public_routes_only() {
    let fleet = Fleet::start().await.unwrap();
    let token = token_without_scope(&fleet);
    let (mut rejected, mut wrong) = (0, Vec::new());
    for (name, url) in &fleet.run.services {
        let mut service = fleet.visitor().at(url);
        service.set_token(&token);
        let document = service.get("/docs/openapi.json").await.json(200);
        for (path, operations) in document["paths"].as_object().unwrap() {
            if PLATFORM.iter().any(|prefix| path.starts_with(prefix)) {
                continue;
            }
            for (method, operation) in operations.as_object().unwrap() {
                let method = method.to_uppercase();
                if PUBLIC.contains(&(method.as_str(), path.as_str())) {
                    continue;
                }
                let to = filled(path, &operation["parameters"]);
                let request = service.request(Method::from_bytes(method.as_bytes()).unwrap(), &to);
                let response = ApiResponse::of(request.json(&json!({}))).await.unwrap();
                let code = response.body["code"].as_str().unwrap_or_default();
                if response.status == 403 && ["FORBIDDEN", "INSUFFICIENT_SCOPE"].contains(&code) {
                    rejected += 1;
                } else {
                    wrong.push(format!("{name}: {method} {path} returned {} {}", response.status, response.body));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(rejected >= 30, "only {rejected} routes were found");
}

/// Account with a session.
struct Account {
    person: ApiClient,
    form: Value,
}

impl Account {
    async fn new(fleet: &Fleet, name: &str) -> Self {
        let form = json!({
            "email": format!("{name}@example.com"), "password": "a long password",
            "firstName": "Ada", "lastName": "Lovelace",
        });
        let mut person = fleet.visitor();
        let response = person.post("/api/auth/register", &form).await.json(201);
        person.sign_in(&response);
        Self { person, form }
    }

    /// Signs in to another session.
    async fn session(&self, fleet: &Fleet) -> ApiClient {
        let mut person = fleet.visitor();
        let response = person.post("/api/auth/login", &self.form).await.json(200);
        person.sign_in(&response);
        person
    }
}

/// Calls that require a token, at each instance of each service.
fn guarded(instances: &[(String, String)]) -> Vec<(Method, String, &'static str)> {
    let call = |(name, url): &(String, String)| match name.as_str() {
        "user-service" => (Method::GET, url.clone(), "/api/users/me"),
        "product-service" => (Method::POST, url.clone(), "/api/products/1/reviews"),
        "order-service" => (Method::GET, url.clone(), "/api/orders"),
        _ => (Method::GET, url.clone(), "/api/payments/order/0190163d-8694-739b-aea5-966c26f8ad91"),
    };
    instances.iter().map(call).collect()
}

async fn statuses(person: &ApiClient, calls: &[(Method, String, &str)]) -> Vec<u16> {
    let mut statuses = Vec::new();
    for (method, url, path) in calls {
        let request = person.at(url).request(method.clone(), path);
        let request = if *method == Method::POST { request.json(&json!({})) } else { request };
        statuses.push(ApiResponse::of(request).await.unwrap().status);
    }
    statuses
}

/// Revokes tokens by each method and checks that each instance rejects the token in time.
async fn check_revocations(fleet: &Fleet, instances: &[(String, String)], round: &str) {
    let (calls, admin) = (guarded(instances), fleet.admin().await.unwrap());
    for method in ["demoted", "deleted", "signed-out", "new-password"] {
        let account = Account::new(fleet, &format!("{method}-{round}")).await;
        let id = account.person.id.clone();
        if method == "demoted" {
            let _ = admin.put(&format!("/api/users/{id}/role"), &json!({"role": "admin"})).await.json(200);
        }
        let old = account.session(fleet).await;
        let before = statuses(&old, &calls).await;
        assert!(before.iter().all(|status| *status != 401), "{method}: {before:?}");
        match method {
            "demoted" => {
                let _ = admin.put(&format!("/api/users/{id}/role"), &json!({"role": "user"})).await.json(200);
            }
            "deleted" => {
                let _ = admin.delete(&format!("/api/users/{id}")).await.json(204);
            }
            "signed-out" => {
                let _ = old.post("/api/auth/logout", &json!({})).await.json(200);
            }
            _ => {
                let form = json!({"currentPassword": "a long password", "newPassword": "another long one"});
                let _ = account.session(fleet).await.put("/api/users/me/password", &form).await.json(204);
            }
        }
        let started = Instant::now();
        until(&format!("{method}: every instance to reject the token"), || async {
            statuses(&old, &calls).await.iter().all(|status| *status == 401).then_some(())
        })
        .await;
        let took = started.elapsed();
        assert!(took <= WITHIN, "{method}: rejected after {took:?}");
        if method == "demoted" {
            let now = statuses(&account.session(fleet).await, &calls).await;
            assert!(now.iter().all(|status| *status != 401), "a new token is valid: {now:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_role_is_rejected_by_all_services_of_an_embedded_fleet() {
    let fleet = Fleet::start().await.unwrap();
    let instances: Vec<_> = fleet.run.services.clone().into_iter().collect();
    check_revocations(&fleet, &instances, "embedded").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_role_is_rejected_by_all_instances_with_the_bus_frozen() {
    let Some(servers) = own_servers(true).await else { return };
    let fleet = Fleet::multi_process(Some(servers), 2, &[]).await.unwrap();
    let mut instances = Vec::new();
    for instance in fleet.processes().unwrap().services() {
        let instance = instance.lock().await;
        instances.push((instance.name.clone(), instance.url.clone()));
    }
    check_revocations(&fleet, &instances, "running").await;
    let bus = &fleet.processes().unwrap().servers().unwrap().rabbitmq.process;
    bus.freeze().await.unwrap();
    check_revocations(&fleet, &instances, "frozen").await;
    bus.unfreeze().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_runs_with_client_credentials() {
    let fleet = Fleet::start().await.unwrap();
    let client = &fleet.credentials().unwrap()["client"];
    let audit = |secret: &str| {
        let mut command = std::process::Command::new(shopfleet_binary().unwrap());
        command.arg("audit").env_clear();
        for name in ServiceName::ALL {
            command.env(name.env(), &fleet.run.services[name.as_str()]);
        }
        command.env("CLIENT_ID", client["id"].as_str().unwrap()).env("CLIENT_SECRET", secret);
        command.output().unwrap()
    };
    let done = audit(client["secret"].as_str().unwrap());
    let message = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{message}{}", String::from_utf8_lossy(&done.stderr));
    assert!(message.contains("0 violations") && message.contains("dead letters: NOT COMPARED"), "{message}");
    let rejected = audit("another secret");
    let message = String::from_utf8_lossy(&rejected.stderr);
    assert!(
        !rejected.status.success() && message.contains("CLIENT_SECRET") && !message.contains("another secret"),
        "{message}"
    );
}
