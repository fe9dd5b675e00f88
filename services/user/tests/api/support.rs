//! Running user service and the calls of its users.

use std::sync::Arc;
use testkit::ResponseExt as _;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::DateTime;
use common::auth::keys::generate_pem;
use common::config::Environment;
use common::telemetry::clock::ManualClock;
use reqwest::{Method, RequestBuilder};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::spawn_service::{RunningService, spawn_service};
use testkit::{ApiResponse, servers};
use user_service::{app, config::Config};

mod folder;
mod stored_accounts;

/// E-mail address and password of the admin.
pub(crate) const ADMIN: (&str, &str) = ("admin@example.com", "the admin's password");

/// Instance of the user service and its HTTP client.
pub(crate) struct TestApi {
    pub(crate) clock: ManualClock,
    /// Address of the account store.
    database: String,
    env: Vec<(&'static str, String)>,
    service: RunningService,
    directory: Arc<TempDir>,
}

/// Signed-in user, or a service with its token.
#[derive(Clone)]
pub(crate) struct TestUser {
    pub(crate) id: String,
    pub(crate) token: String,
    pub(crate) refresh_token: String,
}

/// Adds the user of the session to the response to a refresh, so that it reads like a sign-in.
pub(crate) fn with_user(mut response: ApiResponse, user: &TestUser) -> ApiResponse {
    response.body["user"] = json!({"id": user.id});
    response
}

/// Returns the names of the invalid fields of a validation error.
pub(crate) fn invalid_fields(problem: &Value) -> Vec<&str> {
    problem["errors"].as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap()).collect()
}

impl TestApi {
    /// Starts a service on a SQLite file, with the admin's account only.
    pub(crate) async fn on_sqlite() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let database = format!("sqlite://{}", directory.path().join("users.db").display());
        Some(Self::open(database, directory).await)
    }

    /// Starts a service on MongoDB, with the admin's account only; `None` if no server is installed.
    pub(crate) async fn on_mongodb() -> Option<Self> {
        Some(Self::open(servers::mongodb().await?.database(), tempfile::tempdir().unwrap()).await)
    }

    async fn open(database: String, directory: TempDir) -> Self {
        // In 2096, so that no server expires data by a clock of its own.
        let clock = ManualClock::at(DateTime::from_timestamp(4_000_000_000, 0).unwrap());
        let env = vec![
            ("MONGODB_URL", database.clone()),
            ("REDIS_URL", "memory:".to_owned()),
            ("RABBITMQ_URL", format!("sqlite://{}", directory.path().join("bus.db").display())),
            ("JWT_PRIVATE_KEY", generate_pem().expose_secret().to_owned()),
            (
                "CLIENT_CREDENTIALS",
                "order-service:the secret,auditor:its secret:ops:read,reader:a secret:users:read".to_owned(),
            ),
            ("MAIL_URL", url::Url::from_file_path(directory.path().join("mail")).unwrap().into()),
            ("MAIL_FROM", "Shop <shop@example.com>".to_owned()),
            ("PUBLIC_URL", "https://shop.example.com".to_owned()),
            ("ADMIN_EMAIL", ADMIN.0.to_owned()),
            ("ADMIN_PASSWORD", ADMIN.1.to_owned()),
        ];
        Self::start(clock, database, env, Arc::new(directory)).await
    }

    async fn start(
        clock: ManualClock,
        database: String,
        env: Vec<(&'static str, String)>,
        directory: Arc<TempDir>,
    ) -> Self {
        let config = Config::from_env(&Environment::from_pairs(env.clone())).unwrap();
        let service = app::build(config, clock.shared()).await.unwrap();
        Self { clock, database, env, service: spawn_service(service).await, directory }
    }

    /// Starts a second instance on the same store.
    pub(crate) async fn another_instance(&self) -> Self {
        Self::start(self.clock.clone(), self.database.clone(), self.env.clone(), self.directory.clone()).await
    }

    /// Starts a second instance on the same store with another cache.
    pub(crate) async fn another_instance_with_cache(&self, url: &str) -> Self {
        self.another_instance_with("REDIS_URL", url).await
    }

    /// Starts a second instance on the same store with another setting.
    pub(crate) async fn another_instance_with(&self, name: &'static str, value: &str) -> Self {
        let mut env = self.env.clone();
        env.retain(|(set, _)| *set != name);
        env.push((name, value.to_owned()));
        Self::start(self.clock.clone(), self.database.clone(), env, self.directory.clone()).await
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.service.client
    }

    pub(crate) fn url(&self) -> &str {
        &self.service.url
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.service.client.request(method, format!("{}{path}", self.service.url))
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> ApiResponse {
        ApiResponse::of(request).await.unwrap()
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        user: Option<&TestUser>,
        body: Option<&Value>,
    ) -> ApiResponse {
        let mut request = self.request(method, path);
        if let Some(user) = user {
            request = request.bearer_auth(&user.token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        self.send(request).await
    }

    pub(crate) async fn get(&self, path: &str, user: &TestUser) -> ApiResponse {
        self.call(Method::GET, path, Some(user), None).await
    }

    pub(crate) async fn put(&self, path: &str, user: &TestUser, body: &Value) -> ApiResponse {
        self.call(Method::PUT, path, Some(user), Some(body)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> ApiResponse {
        self.call(Method::POST, path, None, Some(body)).await
    }

    pub(crate) async fn register(&self, email: &str) -> TestUser {
        signed_in(&self.post("/api/auth/register", &registration(email)).await.json(201))
    }

    pub(crate) async fn login(&self, email: &str, password: &str) -> ApiResponse {
        self.post("/api/auth/login", &json!({"email": email, "password": password})).await
    }

    /// Signs in from a client's address, as forwarded by a trusted proxy.
    pub(crate) async fn login_from(&self, address: &str, email: &str, password: &str) -> ApiResponse {
        let request = self.request(Method::POST, "/api/auth/login").header("x-forwarded-for", address);
        self.send(request.json(&json!({"email": email, "password": password}))).await
    }

    pub(crate) async fn admin(&self) -> TestUser {
        signed_in(&self.login(ADMIN.0, ADMIN.1).await.json(200))
    }

    /// Returns a token of a client without scopes in its setting.
    pub(crate) async fn service_token(&self) -> TestUser {
        self.client_token("order-service", "the secret").await
    }

    pub(crate) async fn client_token(&self, id: &str, secret: &str) -> TestUser {
        let request = self.request(Method::POST, "/api/auth/token").basic_auth(id, Some(secret));
        let response = self.send(request.form(&[("grant_type", "client_credentials")])).await.json(200);
        let token = response["access_token"].as_str().unwrap().to_owned();
        TestUser { id: String::new(), token, refresh_token: String::new() }
    }

    pub(crate) async fn refresh(&self, token: &str) -> ApiResponse {
        self.post("/api/auth/refresh", &json!({"refreshToken": token})).await
    }
}

/// Returns the claims of an access token.
pub(crate) fn claims(user: &TestUser) -> Value {
    let payload = user.token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// Returns the body of a request to delete the own account.
pub(crate) fn current_password() -> Value {
    json!({"currentPassword": "password123"})
}

pub(crate) fn registration(email: &str) -> Value {
    json!({"email": email, "password": "password123", "firstName": "John", "lastName": "Doe"})
}

/// Returns the user of a response to a sign-in.
pub(crate) fn signed_in(response: &Value) -> TestUser {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    TestUser {
        id: text(&response["user"]["id"]),
        token: text(&response["token"]),
        refresh_token: text(&response["refreshToken"]),
    }
}
