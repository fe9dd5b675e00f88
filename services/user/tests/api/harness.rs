//! A user service of the test's own, and people who call it.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::DateTime;
use common::auth::keys::generate_pem;
use common::clock::ManualClock;
use common::config::Env;
use reqwest::{Method, RequestBuilder};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::app::{RunningService, spawn};
use user_service::{app, config::Config};

pub(crate) const ADMIN: (&str, &str) = ("admin@example.com", "the admin's password");

pub(crate) struct Shop {
    pub(crate) clock: ManualClock,
    /// Where the accounts are kept.
    pub(crate) database: String,
    env: Env,
    service: RunningService,
    directory: Arc<TempDir>,
}

#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) token: String,
    pub(crate) refresh_token: String,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// The answer to a refresh, with the person whose session it is, so that it can be read as a sign-in.
    pub(crate) fn map(mut self, person: &Person) -> Self {
        self.body["user"] = json!({"id": person.id});
        self
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{:#}", self.body);
        self.body
    }

    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Value {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{:#}", self.body);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        self.body
    }
}

pub(crate) fn fields(problem: &Value) -> Vec<&str> {
    problem["errors"].as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap()).collect()
}

impl Shop {
    /// One with no accounts but the admin's; none if the server that it needs is not installed.
    pub(crate) async fn open() -> Option<Self> {
        Self::with_cache("memory:").await
    }

    pub(crate) async fn with_cache(url: &str) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let database = crate::database(directory.path()).await?;
        // In 2096, so that no server takes it for past and tidies up by a clock of its own.
        let clock = ManualClock::at(DateTime::from_timestamp(4_000_000_000, 0).unwrap());
        let env = Env::from_pairs([
            ("MONGODB_URL", database.clone()),
            ("REDIS_URL", url.to_owned()),
            ("RABBITMQ_URL", format!("sqlite://{}", directory.path().join("bus.db").display())),
            ("JWT_PRIVATE_KEY", generate_pem().expose_secret().to_owned()),
            (
                "CLIENT_CREDENTIALS",
                "order-service:the secret,auditor:its secret:ops:read,reader:a secret:users:read".to_owned(),
            ),
            ("ADMIN_EMAIL", ADMIN.0.to_owned()),
            ("ADMIN_PASSWORD", ADMIN.1.to_owned()),
        ]);
        Some(Self::start(clock, database, env, Arc::new(directory)).await)
    }

    async fn start(clock: ManualClock, database: String, env: Env, directory: Arc<TempDir>) -> Self {
        let service = app::build(Config::from_env(&env).unwrap(), clock.shared()).await.unwrap();
        Self { clock, database, env, service: spawn(service).await, directory }
    }

    /// A second instance of the same service.
    pub(crate) async fn another_instance(&self) -> Self {
        Self::start(self.clock.clone(), self.database.clone(), self.env.clone(), self.directory.clone()).await
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

    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.unwrap();
        Answer { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::Null) }
    }

    pub(crate) async fn call(&self, method: Method, path: &str, by: Option<&Person>, body: Option<&Value>) -> Answer {
        let mut request = self.request(method, path);
        if let Some(person) = by {
            request = request.bearer_auth(&person.token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        self.send(request).await
    }

    pub(crate) async fn get(&self, path: &str, by: &Person) -> Answer {
        self.call(Method::GET, path, Some(by), None).await
    }

    pub(crate) async fn put(&self, path: &str, by: &Person, body: &Value) -> Answer {
        self.call(Method::PUT, path, Some(by), Some(body)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, path, None, Some(body)).await
    }

    pub(crate) async fn register(&self, email: &str) -> Person {
        person(&self.post("/api/auth/register", &registration(email)).await.expect(201))
    }

    pub(crate) async fn login(&self, email: &str, password: &str) -> Answer {
        self.post("/api/auth/login", &json!({"email": email, "password": password})).await
    }

    /// A sign-in from a client's address, as a trusted proxy names it.
    pub(crate) async fn login_from(&self, address: &str, email: &str, password: &str) -> Answer {
        let request = self.request(Method::POST, "/api/auth/login").header("x-forwarded-for", address);
        self.send(request.json(&json!({"email": email, "password": password}))).await
    }

    pub(crate) async fn admin(&self) -> Person {
        person(&self.login(ADMIN.0, ADMIN.1).await.expect(200))
    }

    /// A client whose setting names no scopes.
    pub(crate) async fn service(&self) -> Person {
        self.client("order-service", "the secret").await
    }

    pub(crate) async fn client(&self, id: &str, secret: &str) -> Person {
        let request = self.request(Method::POST, "/api/auth/token").basic_auth(id, Some(secret));
        let answer = self.send(request.form(&[("grant_type", "client_credentials")])).await.expect(200);
        let token = answer["access_token"].as_str().unwrap().to_owned();
        Person { id: String::new(), token, refresh_token: String::new() }
    }

    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        self.post("/api/auth/refresh", &json!({"refreshToken": token})).await
    }
}

/// What an access token says.
pub(crate) fn claims(person: &Person) -> Value {
    let payload = person.token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// The body that deletes one's own account.
pub(crate) fn current_password() -> Value {
    json!({"currentPassword": "password123"})
}

pub(crate) fn registration(email: &str) -> Value {
    json!({"email": email, "password": "password123", "firstName": "John", "lastName": "Doe"})
}

pub(crate) fn person(answer: &Value) -> Person {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Person {
        id: text(&answer["user"]["id"]),
        token: text(&answer["token"]),
        refresh_token: text(&answer["refreshToken"]),
    }
}
