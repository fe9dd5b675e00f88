//! HTTP client of an operator: signs in and calls the services' endpoints for operators.

use std::collections::BTreeMap;
use std::time::Duration;

use common::config::ServiceName;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::CliError;

mod audit_source;
mod selector;

pub(crate) use selector::FleetSelector;

/// Timeout of a request.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Objects per page of the provider's lists.
const PROVIDER_PAGE_SIZE: usize = 100;

/// Client of an operator at a fleet.
pub(crate) struct AdminClient {
    client: Client,
    services: BTreeMap<ServiceName, String>,
    stripe: Option<Stripe>,
    admin: Option<Credentials>,
    session: Mutex<Option<String>>,
    /// Client credentials for reading `/ops`, which need no account.
    service_client: Option<Credentials>,
    service_token: Mutex<Option<String>>,
}

/// Account or client with its password or secret.
struct Credentials {
    id: String,
    secret: SecretString,
}

/// Address and key of the payment provider.
struct Stripe {
    url: String,
    key: SecretString,
}

impl AdminClient {
    /// Selects a fleet, runs `work` on it and signs out: an admin's sessions are limited, and those of people count too.
    ///
    /// # Errors
    /// If the fleet or the credentials are not known, or as `work` fails.
    pub(crate) async fn with_session(
        selector: &FleetSelector,
        work: impl AsyncFnOnce(&Self) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let client = selector.client().await?;
        let result = work(&client).await;
        client.sign_out().await;
        result
    }

    /// Creates a client of a fleet with known addresses by name and credentials as in `credentials.json`.
    ///
    /// # Errors
    /// If no HTTP client can be created.
    #[cfg(feature = "chaos")]
    pub(crate) fn for_fleet(
        services: &BTreeMap<String, String>,
        stripe: &str,
        credentials: &Value,
    ) -> Result<Self, CliError> {
        let text = |group: &str, name: &str| credentials[group][name].as_str().unwrap_or_default().to_owned();
        let stripe = Stripe { url: stripe.to_owned(), key: text("stripe", "secret_key").into() };
        let admin = Credentials { id: text("admin", "email"), secret: text("admin", "password").into() };
        Self::new(selector::by_name(services), Some(stripe), Some(admin), None)
    }

    fn new(
        services: BTreeMap<ServiceName, String>,
        stripe: Option<Stripe>,
        admin: Option<Credentials>,
        service_client: Option<Credentials>,
    ) -> Result<Self, CliError> {
        let (session, service_token) = (Mutex::default(), Mutex::default());
        Ok(Self { client: http_client()?, services, stripe, admin, session, service_client, service_token })
    }

    /// Returns whether the client has an admin's account, which reading dead letters requires.
    pub(crate) const fn is_admin(&self) -> bool {
        self.admin.is_some()
    }

    /// Sends a `GET` to an endpoint of `/ops` that the scope `ops:read` includes, and returns its response.
    ///
    /// # Errors
    /// If the service is unavailable or rejects the request.
    pub(crate) async fn ops<T: DeserializeOwned>(&self, service: ServiceName, path: &str) -> Result<T, CliError> {
        let Some(credentials) = &self.service_client else { return self.get(service, path).await };
        let url = format!("{}{path}", self.address(service)?);
        let mut cached = self.service_token.lock().await;
        for _ in 0..2 {
            let token = match cached.take() {
                Some(token) => token,
                None => self.request_service_token(credentials).await?,
            };
            let (status, body) = send(self.client.get(&url).bearer_auth(&token)).await?;
            if status == StatusCode::UNAUTHORIZED {
                continue;
            }
            *cached = Some(token);
            if !status.is_success() {
                return Err(rejected(&url, status, &body));
            }
            return parse(service, path, body);
        }
        Err(CliError::new(format!("{url} rejects the client's token")))
    }

    /// Requests a service token (OAuth 2 client credentials, RFC 6749 section 4.4).
    async fn request_service_token(&self, client: &Credentials) -> Result<String, CliError> {
        let url = format!("{}/api/auth/token", self.address(ServiceName::User)?);
        let request = self.client.post(&url).basic_auth(&client.id, Some(client.secret.expose_secret()));
        let (status, body) = send(request.form(&[("grant_type", "client_credentials")])).await?;
        let token = body["access_token"].as_str().filter(|_| status.is_success());
        token.map(str::to_owned).ok_or_else(|| {
            let id = &client.id;
            CliError::new(format!("no token for the client {id} at {url}: {status}; check CLIENT_ID and CLIENT_SECRET"))
        })
    }

    fn address(&self, service: ServiceName) -> Result<&str, CliError> {
        let address = self.services.get(&service);
        Ok(address.ok_or_else(|| CliError::new(format!("the address of the {service} is unknown")))?)
    }

    /// Sends a `GET` as an admin and returns the response.
    ///
    /// # Errors
    /// If the service is unavailable or rejects the request.
    pub(crate) async fn get<T: DeserializeOwned>(&self, service: ServiceName, path: &str) -> Result<T, CliError> {
        let body = self.call(Method::GET, service, path, None).await?;
        parse(service, path, body)
    }

    /// Sends a request as an admin and returns the response; null if it has no body.
    ///
    /// # Errors
    /// If the service is unavailable or rejects the request.
    pub(crate) async fn call(
        &self,
        method: Method,
        service: ServiceName,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, CliError> {
        let url = format!("{}{path}", self.address(service)?);
        let request = || {
            let request = self.client.request(method.clone(), &url);
            if let Some(body) = body { request.json(body) } else { request }
        };
        let mut token = self.session_token(None).await?;
        for _ in 0..2 {
            let (status, body) = send(request().bearer_auth(&token)).await?;
            if status != StatusCode::UNAUTHORIZED {
                return if status.is_success() { Ok(body) } else { Err(rejected(&url, status, &body)) };
            }
            token = self.session_token(Some(&token)).await?;
        }
        Err(CliError::new(format!("{url} rejects the admin's token")))
    }

    /// Returns the dead letters of all services, each with the service that handles it.
    ///
    /// # Errors
    /// If a service is unavailable or rejects the request.
    pub(crate) async fn dead_letters(&self) -> Result<Vec<(ServiceName, Value)>, CliError> {
        let mut all = Vec::new();
        for service in ServiceName::ALL {
            let letters: Vec<Value> = self.get(*service, "/ops/dead-letters").await?;
            all.extend(letters.into_iter().map(|letter| (*service, letter)));
        }
        Ok(all)
    }

    /// Returns all objects of a list of the provider, such as `payment_intents`; `None` if the provider is not configured.
    ///
    /// # Errors
    /// If a page cannot be read.
    async fn provider_list(&self, list: &str) -> Result<Option<Vec<Value>>, CliError> {
        let Some(stripe) = &self.stripe else { return Ok(None) };
        let mut objects: Vec<Value> = Vec::new();
        loop {
            let after = objects.last().and_then(|last| last["id"].as_str());
            let after = after.map(|id| format!("&starting_after={id}")).unwrap_or_default();
            let url = format!("{}/v1/{list}?limit={PROVIDER_PAGE_SIZE}{after}", stripe.url);
            let (status, mut body) = send(self.client.get(&url).bearer_auth(stripe.key.expose_secret())).await?;
            if !status.is_success() {
                return Err(rejected(&url, status, &body));
            }
            let has_more = body["has_more"].as_bool().unwrap_or_default();
            let Value::Array(page) = body["data"].take() else {
                return Err(CliError::new(format!("{url} returned no list")));
            };
            let is_empty = page.is_empty();
            objects.extend(page);
            if !has_more || is_empty {
                return Ok(Some(objects));
            }
        }
    }

    /// Ends the session. If that fails, the session expires by itself.
    async fn sign_out(&self) {
        let token = self.session.lock().await.take();
        if let Some((users, token)) = self.services.get(&ServiceName::User).zip(token) {
            let _ = send(self.client.post(format!("{users}/api/auth/logout")).bearer_auth(token)).await;
        }
    }

    /// Returns a session token other than `rejected`.
    async fn session_token(&self, rejected: Option<&str>) -> Result<String, CliError> {
        let mut session = self.session.lock().await;
        if let Some(token) = session.as_deref().filter(|token| Some(*token) != rejected) {
            return Ok(token.to_owned());
        }
        let users = self.address(ServiceName::User)?;
        let admin = self.admin.as_ref();
        let Credentials { id: email, secret } =
            admin.ok_or_else(|| CliError::new("this requires an admin; set ADMIN_EMAIL and ADMIN_PASSWORD"))?;
        let form = json!({"email": email, "password": secret.expose_secret()});
        let (status, body) = send(self.client.post(format!("{users}/api/auth/login")).json(&form)).await?;
        match body["token"].as_str() {
            Some(token) if status.is_success() => {
                *session = Some(token.to_owned());
                Ok(token.to_owned())
            }
            _ => Err(CliError::new(format!(
                "the admin {email} cannot sign in at {users}: {status}; check ADMIN_PASSWORD"
            ))),
        }
    }
}

fn http_client() -> Result<Client, CliError> {
    let client = Client::builder().timeout(TIMEOUT).no_proxy().build();
    client.map_err(|error| CliError::context("no HTTP client", &error))
}

async fn send(request: RequestBuilder) -> Result<(StatusCode, Value), CliError> {
    let response = request.send().await.map_err(|error| CliError::context("no response", &error.without_url()))?;
    let status = response.status();
    let body = response.bytes().await;
    let body = body.map_err(|error| CliError::context("incomplete response", &error.without_url()))?;
    Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
}

fn parse<T: DeserializeOwned>(service: ServiceName, path: &str, body: Value) -> Result<T, CliError> {
    serde_json::from_value(body)
        .map_err(|error| CliError::context(format_args!("invalid response of {service}{path}"), &error))
}

fn rejected(url: &str, status: StatusCode, body: &Value) -> CliError {
    let detail = body["detail"].as_str().or_else(|| body.pointer("/error/message")?.as_str()).unwrap_or_default();
    CliError::new(format!("{url} responded {status} {detail}"))
}
