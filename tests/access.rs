//! Who reaches which route: service tokens by their scopes, and tokens whose right was withdrawn.
#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect fails")]

use std::time::{Duration, Instant};

use common::auth::Role;
use common::auth::keys::SigningKey;
use common::discovery::ServiceName;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::fleet::{Answer, Fleet, Person, Servers, binary, until};
use testkit::tokens::claims;

/// Routes that anybody may call, by method and path.
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
    ("GET", "/api/payments/config"),
    // By the provider's signature.
    ("POST", "/api/webhooks/stripe"),
];
/// Routes of the platform, which need no token.
const PLATFORM: &[&str] = &["/health", "/metrics", "/docs"];
/// Longest time until a withdrawn right is gone in all services.
const WITHIN: Duration = Duration::from_secs(5);
/// An id that nothing has.
const UNKNOWN: &str = "0190163d-8694-739b-aea5-966c26f8ad91";

/// A service token that holds no scope, signed by the fleet's own key.
fn token_without_scope(fleet: &Fleet) -> String {
    let pem = std::fs::read_to_string(fleet.data_dir().join("jwt-key.pem")).unwrap();
    let key = SigningKey::from_pem(&pem.into()).unwrap();
    let mut claims = claims("a-client-without-scopes".to_owned(), Role::Service);
    claims.scope = Some(String::new());
    key.sign(&claims)
}

/// A value for a path's parameter: a number where the document says that it is one.
fn filled(path: &str, parameters: &Value) -> String {
    let mut path = path.to_owned();
    for parameter in parameters.as_array().into_iter().flatten().filter(|parameter| parameter["in"] == "path") {
        let number = parameter["schema"]["type"] == "integer";
        let name = parameter["name"].as_str().unwrap();
        path = path.replace(&format!("{{{name}}}"), if number { "1" } else { UNKNOWN });
    }
    // Parameters that are described by reference only.
    while let (Some(begin), Some(end)) = (path.find('{'), path.find('}')) {
        path.replace_range(begin..=end, UNKNOWN);
    }
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn service_token_without_scope_reaches_no_route_but_the_public_ones() {
    let fleet = Fleet::start().await;
    let token = token_without_scope(&fleet);
    let (mut refused, mut wrong) = (0, Vec::new());
    for (name, url) in &fleet.run.services {
        let mut service = fleet.visitor().at(url);
        service.sign_in_with(&token);
        let document = service.get("/docs/openapi.json").await.expect(200);
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
                let answer = Answer::of(request.json(&json!({}))).await;
                let code = answer.body["code"].as_str().unwrap_or_default();
                if answer.status == 403 && ["FORBIDDEN", "INSUFFICIENT_SCOPE"].contains(&code) {
                    refused += 1;
                } else {
                    wrong.push(format!("{name}: {method} {path} answers {} {}", answer.status, answer.body));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(refused >= 30, "only {refused} routes were found");
}

/// An account with a session of its own.
struct Account {
    person: Person,
    form: Value,
}

impl Account {
    async fn new(fleet: &Fleet, name: &str) -> Self {
        let form = json!({
            "email": format!("{name}@example.com"), "password": "a long password",
            "firstName": "Ada", "lastName": "Lovelace",
        });
        let mut person = fleet.visitor();
        let answer = person.post("/api/auth/register", &form).await.expect(201);
        person.sign_in(&answer);
        Self { person, form }
    }

    /// Signs in once more, in a session of its own.
    async fn session(&self, fleet: &Fleet) -> Person {
        let mut person = fleet.visitor();
        let answer = person.post("/api/auth/login", &self.form).await.expect(200);
        person.sign_in(&answer);
        person
    }
}

/// Calls that need a token, at each instance of each service.
fn guarded(instances: &[(String, String)]) -> Vec<(Method, String, &'static str)> {
    let call = |(name, url): &(String, String)| match name.as_str() {
        "user-service" => (Method::GET, url.clone(), "/api/users/me"),
        "product-service" => (Method::POST, url.clone(), "/api/products/1/reviews"),
        "order-service" => (Method::GET, url.clone(), "/api/orders"),
        _ => (Method::GET, url.clone(), "/api/payments/order/0190163d-8694-739b-aea5-966c26f8ad91"),
    };
    instances.iter().map(call).collect()
}

async fn statuses(person: &Person, calls: &[(Method, String, &str)]) -> Vec<u16> {
    let mut statuses = Vec::new();
    for (method, url, path) in calls {
        let request = person.at(url).request(method.clone(), path);
        let request = if *method == Method::POST { request.json(&json!({})) } else { request };
        statuses.push(Answer::of(request).await.status);
    }
    statuses
}

/// Withdraws rights in each way, and looks whether each instance of each service refuses the token in time.
async fn withdrawals(fleet: &Fleet, instances: &[(String, String)], round: &str) {
    let (calls, admin) = (guarded(instances), fleet.admin().await);
    for way in ["demoted", "deleted", "signed-out", "new-password"] {
        let account = Account::new(fleet, &format!("{way}-{round}")).await;
        let id = account.person.id.clone();
        if way == "demoted" {
            let _ = admin.put(&format!("/api/users/{id}/role"), &json!({"role": "admin"})).await.expect(200);
        }
        let old = account.session(fleet).await;
        let before = statuses(&old, &calls).await;
        assert!(before.iter().all(|status| *status != 401), "{way}: {before:?}");
        match way {
            "demoted" => {
                let _ = admin.put(&format!("/api/users/{id}/role"), &json!({"role": "user"})).await.expect(200);
            }
            "deleted" => {
                let _ = admin.delete(&format!("/api/users/{id}")).await.expect(204);
            }
            "signed-out" => {
                let _ = old.post("/api/auth/logout", &json!({})).await.expect(200);
            }
            _ => {
                let form = json!({"currentPassword": "a long password", "newPassword": "another long one"});
                let _ = account.session(fleet).await.put("/api/users/me/password", &form).await.expect(204);
            }
        }
        let begun = Instant::now();
        until(&format!("{way}: every instance refuses the token"), || async {
            statuses(&old, &calls).await.iter().all(|status| *status == 401).then_some(())
        })
        .await;
        let took = begun.elapsed();
        assert!(took <= WITHIN, "{way}: refused after {took:?}");
        if way == "demoted" {
            let now = statuses(&account.session(fleet).await, &calls).await;
            assert!(now.iter().all(|status| *status != 401), "a new token is valid: {now:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn withdrawn_right_is_gone_in_all_services_of_an_embedded_fleet() {
    let fleet = Fleet::start().await;
    let instances: Vec<_> = fleet.run.services.clone().into_iter().collect();
    withdrawals(&fleet, &instances, "embedded").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn withdrawn_right_is_gone_at_all_instances_with_the_bus_frozen() {
    let Some(servers) = Servers::own(true).await else { return };
    let fleet = Fleet::apart(Some(servers), 2, &[]).await;
    let mut instances = Vec::new();
    for instance in fleet.processes().services() {
        let instance = instance.lock().await;
        instances.push((instance.name.clone(), instance.url.clone()));
    }
    withdrawals(&fleet, &instances, "running").await;
    let bus = &fleet.processes().servers().rabbitmq.process;
    bus.freeze().await;
    withdrawals(&fleet, &instances, "frozen").await;
    bus.thaw();
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_reads_the_services_as_a_client_without_an_account() {
    let fleet = Fleet::start().await;
    let client = &fleet.credentials()["client"];
    let audit = |secret: &str| {
        let mut command = std::process::Command::new(binary());
        command.arg("audit").env_clear();
        for name in ServiceName::ALL {
            command.env(name.env(), &fleet.run.services[name.as_str()]);
        }
        command.env("CLIENT_ID", client["id"].as_str().unwrap()).env("CLIENT_SECRET", secret);
        command.output().unwrap()
    };
    let done = audit(client["secret"].as_str().unwrap());
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    assert!(said.contains("0 violations") && said.contains("dead letters: NOT COMPARED"), "{said}");
    let refused = audit("another secret");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("CLIENT_SECRET") && !said.contains("another secret"), "{said}");
}
