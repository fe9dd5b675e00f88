//! Somebody who operates a running fleet: finds it, signs in, and asks the services what only operators may.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::config::{Env, Settings};
use common::discovery::ServiceName;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::Failure;
use crate::fleet::{Credentials, RunFile};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// What a page of a list has, here and at Stripe.
const PAGE: usize = 100;

/// Which fleet.
#[derive(clap::Args)]
pub(crate) struct Which {
    /// The data directory of an embedded fleet. Without it the fleet of the CONSUL_URL or <NAME>_SERVICE_URL variables, with
    /// ADMIN_EMAIL and ADMIN_PASSWORD; without these the one of `.shopfleet`.
    // Of another name than `up` has, whose default would count here too.
    #[arg(long, id = "fleet-data-dir", value_name = "DATA_DIR", global = true)]
    data_dir: Option<PathBuf>,
}

/// An operator at a fleet.
pub(crate) struct Operator {
    client: Client,
    services: BTreeMap<ServiceName, String>,
    stripe: Option<Stripe>,
    admin: Option<(String, SecretString)>,
    token: Mutex<Option<String>>,
    /// The client that reads `/ops`, where there is one: it needs no account.
    client_credentials: Option<(String, SecretString)>,
    service_token: Mutex<Option<String>>,
}

struct Stripe {
    url: String,
    key: SecretString,
}

impl Operator {
    /// Finds the fleet, does `work` there, and signs out: only so many sessions of one admin are kept, and those of people are
    /// among them.
    ///
    /// # Errors
    /// If it is not told where the fleet is, or who asks; or as `work` fails.
    pub(crate) async fn at_work(
        which: &Which,
        work: impl AsyncFnOnce(&Self) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let operator = Self::find(which).await?;
        let done = work(&operator).await;
        operator.sign_out().await;
        done
    }

    async fn find(which: &Which) -> Result<Self, Failure> {
        let env = Env::process();
        let told = env.get("CONSUL_URL").is_some() || ServiceName::ALL.iter().any(|name| env.get(name.env()).is_some());
        match &which.data_dir {
            Some(data_dir) => Self::embedded(data_dir),
            None if told => Self::from_env(&env).await,
            None => Self::embedded(Path::new(".shopfleet")),
        }
    }

    /// The fleet that runs in this data directory.
    ///
    /// # Errors
    /// If none does.
    pub(crate) fn embedded(data_dir: &Path) -> Result<Self, Failure> {
        let run = RunFile::read(data_dir).ok_or_else(|| {
            let path = data_dir.display();
            Failure::new(format!("no fleet runs in {path}: start one by `shopfleet up`, or name another by --data-dir"))
        })?;
        let credentials = Credentials::read(data_dir)?;
        let address = |name: &ServiceName| Some((*name, run.services.get(name.as_str())?.clone()));
        let stripe = Stripe { url: run.stripe.clone(), key: credentials.stripe.secret_key.into() };
        let services = ServiceName::ALL.iter().filter_map(address).collect();
        Self::new(services, Some(stripe), Some((credentials.admin.email, credentials.admin.password.into())), None)
    }

    /// A fleet whose addresses and credentials are known: `services` by name, credentials as `credentials.json` has them.
    ///
    /// # Errors
    /// If no HTTP client can be made.
    pub(crate) fn at(services: &BTreeMap<String, String>, stripe: &str, credentials: &Value) -> Result<Self, Failure> {
        let of = |group: &str, name: &str| credentials[group][name].as_str().unwrap_or_default().to_owned();
        let address = |name: &ServiceName| Some((*name, services.get(name.as_str())?.clone()));
        let services = ServiceName::ALL.iter().filter_map(address).collect();
        let stripe = Stripe { url: stripe.to_owned(), key: of("stripe", "secret_key").into() };
        Self::new(services, Some(stripe), Some((of("admin", "email"), of("admin", "password").into())), None)
    }

    async fn from_env(env: &Env) -> Result<Self, Failure> {
        let mut settings = Settings::new(env);
        let client_id = settings.optional::<String>("CLIENT_ID", "auditor").flatten();
        let client_credentials = client_id.zip(settings.optional_secret("CLIENT_SECRET").flatten());
        let admin = if client_credentials.is_some() {
            let email = settings.optional::<String>("ADMIN_EMAIL", "admin@example.com").flatten();
            Some(email.zip(settings.optional_secret("ADMIN_PASSWORD").flatten()))
        } else {
            let email = settings.required::<String>("ADMIN_EMAIL", "admin@example.com");
            email.zip(settings.secret("ADMIN_PASSWORD", "a-long-random-text")).map(Some)
        };
        let stripe_url = settings.optional::<String>("STRIPE_API_URL", "https://api.stripe.com");
        let stripe_key = settings.optional_secret("STRIPE_SECRET_KEY");
        let consul = settings.optional::<String>("CONSUL_URL", "http://127.0.0.1:8500").flatten();
        let mut services = BTreeMap::new();
        for name in ServiceName::ALL {
            let fixed = settings.optional::<String>(name.env(), "http://127.0.0.1:3001").flatten();
            let address = match (fixed, &consul) {
                (Some(url), _) => url,
                (None, Some(consul)) => registered(consul, *name).await?,
                (None, None) => {
                    settings.problem(name.env(), "is missing; set it or CONSUL_URL");
                    continue;
                }
            };
            services.insert(*name, address.trim_end_matches('/').to_owned());
        }
        let admin = settings.finish(admin).map_err(|error| Failure::new(error.to_string()))?;
        let stripe = stripe_key.flatten().map(|key| {
            let url = stripe_url.flatten().unwrap_or_else(|| "https://api.stripe.com".to_owned());
            Stripe { url: url.trim_end_matches('/').to_owned(), key }
        });
        Self::new(services, stripe, admin, client_credentials)
    }

    fn new(
        services: BTreeMap<ServiceName, String>,
        stripe: Option<Stripe>,
        admin: Option<(String, SecretString)>,
        client_credentials: Option<(String, SecretString)>,
    ) -> Result<Self, Failure> {
        let (token, service_token) = (Mutex::default(), Mutex::default());
        Ok(Self { client: client()?, services, stripe, admin, token, client_credentials, service_token })
    }

    /// Whether it can do what only an admin may, such as reading dead letters.
    pub(crate) const fn is_admin(&self) -> bool {
        self.admin.is_some()
    }

    /// Returns what a service answers to a read of `/ops` that a client with the scope `ops:read` may make.
    ///
    /// # Errors
    /// If it does not answer, or refuses.
    pub(crate) async fn ops<T: DeserializeOwned>(&self, from: ServiceName, path: &str) -> Result<T, Failure> {
        let Some(credentials) = &self.client_credentials else { return self.get(from, path).await };
        let url = format!("{}{path}", self.address(from)?);
        let mut known = self.service_token.lock().await;
        for _ in 0..2 {
            let token = match known.take() {
                Some(token) => token,
                None => self.new_service_token(credentials).await?,
            };
            let (status, answer) = send(self.client.get(&url).bearer_auth(&token)).await?;
            if status == StatusCode::UNAUTHORIZED {
                continue;
            }
            *known = Some(token);
            if !status.is_success() {
                return Err(refused(&url, status, &answer));
            }
            return serde_json::from_value(answer)
                .map_err(|error| Failure::doing(format!("{from}{path} is not understood"), &error));
        }
        Err(Failure::new(format!("{url} does not accept the client's token")))
    }

    /// Gets a service token (OAuth 2 client credentials, RFC 6749 section 4.4).
    async fn new_service_token(&self, (id, secret): &(String, SecretString)) -> Result<String, Failure> {
        let url = format!("{}/api/auth/token", self.address(ServiceName::User)?);
        let request = self.client.post(&url).basic_auth(id, Some(secret.expose_secret()));
        let (status, answer) = send(request.form(&[("grant_type", "client_credentials")])).await?;
        let token = answer["access_token"].as_str().filter(|_| status.is_success());
        token.map(str::to_owned).ok_or_else(|| {
            Failure::new(format!("no token for the client {id} at {url}: {status}; check CLIENT_ID and CLIENT_SECRET"))
        })
    }

    fn address(&self, of: ServiceName) -> Result<&str, Failure> {
        let address = self.services.get(&of).ok_or_else(|| Failure::new(format!("no address of the {of} is known")))?;
        Ok(address)
    }

    /// What a service answers to a `GET`.
    ///
    /// # Errors
    /// If it does not answer, or refuses.
    pub(crate) async fn get<T: DeserializeOwned>(&self, from: ServiceName, path: &str) -> Result<T, Failure> {
        let answer = self.call(Method::GET, from, path, None).await?;
        serde_json::from_value(answer)
            .map_err(|error| Failure::doing(format!("{from}{path} is not understood"), &error))
    }

    /// What a service answers to a request; null if it answers without a body.
    ///
    /// # Errors
    /// If it does not answer, or refuses.
    pub(crate) async fn call(
        &self,
        method: Method,
        to: ServiceName,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let url = format!("{}{path}", self.address(to)?);
        let request = || {
            let request = self.client.request(method.clone(), &url);
            if let Some(body) = body { request.json(body) } else { request }
        };
        let mut token = self.token(None).await?;
        for _ in 0..2 {
            let (status, answer) = send(request().bearer_auth(&token)).await?;
            if status != StatusCode::UNAUTHORIZED {
                return if status.is_success() { Ok(answer) } else { Err(refused(&url, status, &answer)) };
            }
            token = self.token(Some(&token)).await?;
        }
        Err(Failure::new(format!("{url} does not accept the admin's token")))
    }

    /// All rows of an audit's list.
    ///
    /// # Errors
    /// If a page cannot be read.
    pub(crate) async fn audit<T: DeserializeOwned>(
        &self,
        from: ServiceName,
        id: impl Fn(&T) -> String,
    ) -> Result<Vec<T>, Failure> {
        let mut rows: Vec<T> = Vec::new();
        loop {
            let after = rows.last().map(|row| format!("&after={}", id(row))).unwrap_or_default();
            let page: Vec<T> = self.ops(from, &format!("/ops/audit?limit=500{after}")).await?;
            if page.is_empty() {
                return Ok(rows);
            }
            rows.extend(page);
        }
    }

    /// All objects of a list of the provider's, such as `payment_intents`; `None` if nobody said how to ask for it.
    ///
    /// # Errors
    /// If a page cannot be read.
    pub(crate) async fn provider(&self, list: &str) -> Result<Option<Vec<Value>>, Failure> {
        let Some(stripe) = &self.stripe else { return Ok(None) };
        let mut objects: Vec<Value> = Vec::new();
        loop {
            let after = objects.last().and_then(|last| last["id"].as_str());
            let after = after.map(|id| format!("&starting_after={id}")).unwrap_or_default();
            let url = format!("{}/v1/{list}?limit={PAGE}{after}", stripe.url);
            let (status, mut answer) = send(self.client.get(&url).bearer_auth(stripe.key.expose_secret())).await?;
            if !status.is_success() {
                return Err(refused(&url, status, &answer));
            }
            let more = answer["has_more"].as_bool().unwrap_or_default();
            let Value::Array(page) = answer["data"].take() else {
                return Err(Failure::new(format!("{url} gives no list")));
            };
            let empty = page.is_empty();
            objects.extend(page);
            if !more || empty {
                return Ok(Some(objects));
            }
        }
    }

    /// Ends the session. If that fails it runs out by itself.
    async fn sign_out(&self) {
        let token = self.token.lock().await.take();
        if let Some((users, token)) = self.services.get(&ServiceName::User).zip(token) {
            let _ = send(self.client.post(format!("{users}/api/auth/logout")).bearer_auth(token)).await;
        }
    }

    /// A token that is not `refused`.
    async fn token(&self, refused: Option<&str>) -> Result<String, Failure> {
        let mut known = self.token.lock().await;
        if let Some(token) = known.as_deref().filter(|token| Some(*token) != refused) {
            return Ok(token.to_owned());
        }
        let users = self.address(ServiceName::User)?;
        let admin = self.admin.as_ref();
        let (email, password) =
            admin.ok_or_else(|| Failure::new("only an admin may do this; set ADMIN_EMAIL and ADMIN_PASSWORD"))?;
        let form = json!({"email": email, "password": password.expose_secret()});
        let url = format!("{users}/api/auth/login");
        let (status, answer) = send(self.client.post(&url).json(&form)).await?;
        match answer["token"].as_str() {
            Some(token) if status.is_success() => {
                *known = Some(token.to_owned());
                Ok(token.to_owned())
            }
            _ => Err(Failure::new(format!(
                "the admin {email} cannot sign in at {users}: {status}; check ADMIN_PASSWORD"
            ))),
        }
    }
}

fn client() -> Result<Client, Failure> {
    let client = Client::builder().timeout(PATIENCE).no_proxy().build();
    client.map_err(|error| Failure::doing("no HTTP client", &error))
}

/// An instance that Consul knows to be well.
async fn registered(consul: &str, name: ServiceName) -> Result<String, Failure> {
    let url = format!("{}/v1/health/service/{name}?passing", consul.trim_end_matches('/'));
    let (status, answer) = send(client()?.get(&url)).await?;
    let found = answer.pointer("/0/Service").filter(|_| status.is_success());
    let address = found.and_then(|found| Some((found["Address"].as_str()?, found["Port"].as_u64()?)));
    let (host, port) = address.ok_or_else(|| Failure::new(format!("Consul at {consul} knows no healthy {name}")))?;
    Ok(format!("http://{host}:{port}"))
}

async fn send(request: RequestBuilder) -> Result<(StatusCode, Value), Failure> {
    let answer = request.send().await.map_err(|error| Failure::doing("no answer", &error.without_url()))?;
    let status = answer.status();
    let body = answer.bytes().await.map_err(|error| Failure::doing("the answer broke off", &error.without_url()))?;
    Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
}

fn refused(url: &str, status: StatusCode, answer: &Value) -> Failure {
    let detail = answer["detail"].as_str().or_else(|| answer.pointer("/error/message")?.as_str()).unwrap_or_default();
    Failure::new(format!("{url} answers {status} {detail}"))
}
