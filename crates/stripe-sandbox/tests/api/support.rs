//! Sandbox on a free port, and a client of it.

pub(crate) mod receiver;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use reqwest::header::HeaderMap;
use serde_json::Value;
use stripe_sandbox::{Clock, Config, Error, Millis, RetrySchedule, Sandbox};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const SECRET_KEY: &str = "sk_test_1234567890abcdef";
pub(crate) const PUBLISHABLE_KEY: &str = "pk_test_anything";
/// Address of the shop.
pub(crate) const SHOP: &str = "http://localhost:8000";
pub(crate) const WEBHOOK_SECRET: &str = "whsec_test";

/// Clock that only a test advances.
#[derive(Clone, Debug)]
pub(crate) struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    pub(crate) fn at(millis: i64) -> Self {
        Self(Arc::new(AtomicI64::new(millis)))
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Millis {
        Millis(self.0.load(Ordering::SeqCst))
    }
}

/// Configuration of a sandbox.
pub(crate) struct Setup {
    directory: Arc<TempDir>,
    webhook_url: Option<String>,
    types: Vec<String>,
    clock: Option<ManualClock>,
    retries: RetrySchedule,
}

impl Setup {
    pub(crate) fn new() -> Self {
        Self {
            directory: Arc::new(TempDir::new().unwrap()),
            webhook_url: None,
            types: vec!["card".into(), "paypal".into()],
            clock: None,
            retries: RetrySchedule {
                first: Duration::from_millis(5),
                longest: Duration::from_millis(20),
                give_up_after: Duration::from_secs(600),
            },
        }
    }

    pub(crate) fn webhooks_to(mut self, url: &str) -> Self {
        self.webhook_url = Some(url.into());
        self
    }

    pub(crate) fn types(mut self, types: &[&str]) -> Self {
        self.types = types.iter().map(|kind| (*kind).to_owned()).collect();
        self
    }

    pub(crate) fn clock(mut self, clock: ManualClock) -> Self {
        self.clock = Some(clock);
        self
    }

    pub(crate) fn retries(mut self, retries: RetrySchedule) -> Self {
        self.retries = retries;
        self
    }

    pub(crate) async fn start(self) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let database = self.directory.path().join("stripe").join("ledger.db");
        let mut sandbox = Sandbox::new(Config {
            database: database.clone(),
            secret_key: SECRET_KEY.into(),
            webhook_secret: WEBHOOK_SECRET.into(),
            webhook_url: self.webhook_url,
            payment_method_types: self.types,
            hosted_url: base.clone(),
            shop_urls: vec![SHOP.to_owned(), "http://127.0.0.1:8000".to_owned()],
        })
        .retries(self.retries)
        .settlement_delay(Duration::from_millis(20));
        if let Some(clock) = self.clock {
            sandbox = sandbox.clock(Arc::new(clock));
        }
        let stop = CancellationToken::new();
        let task = tokio::spawn(sandbox.serve(listener, stop.clone()));
        Server { base, database, stop, task, directory: self.directory, client: client() }
    }
}

/// Running sandbox.
pub(crate) struct Server {
    pub(crate) base: String,
    pub(crate) database: PathBuf,
    stop: CancellationToken,
    task: JoinHandle<Result<(), Error>>,
    directory: Arc<TempDir>,
    client: reqwest::Client,
}

/// Response of the sandbox.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.body
    }

    /// Returns the error object of a response with this status.
    pub(crate) fn error(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body["error"].clone()
    }

    pub(crate) fn replayed(&self) -> bool {
        self.headers.get("idempotent-replayed").is_some_and(|value| value == "true")
    }
}

/// API key and optional idempotency key of a request.
#[derive(Clone, Copy)]
pub(crate) struct Credentials<'a>(pub(crate) &'a str, pub(crate) Option<&'a str>);

pub(crate) const ACCOUNT: Credentials<'static> = Credentials(SECRET_KEY, None);
pub(crate) const BROWSER: Credentials<'static> = Credentials(PUBLISHABLE_KEY, None);

impl Server {
    pub(crate) async fn post(&self, path: &str, form: &str) -> Reply {
        self.post_as(ACCOUNT, path, form).await
    }

    pub(crate) async fn post_as(&self, caller: Credentials<'_>, path: &str, form: &str) -> Reply {
        let mut request = self
            .client
            .post(format!("{}{path}", self.base))
            .bearer_auth(caller.0)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.to_owned());
        if let Some(key) = caller.1 {
            request = request.header("idempotency-key", key);
        }
        reply(request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.get_as(ACCOUNT, path).await
    }

    pub(crate) async fn get_as(&self, caller: Credentials<'_>, path: &str) -> Reply {
        reply(self.request(reqwest::Method::GET, path).bearer_auth(caller.0)).await
    }

    /// Creates a request without a key.
    pub(crate) fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    /// Creates an intent over an amount in cents for cards.
    pub(crate) async fn intent(&self, amount: i64) -> Value {
        let form = format!("amount={amount}&currency=usd&payment_method_types[]=card&metadata[order]=o1");
        self.post("/v1/payment_intents", &form).await.ok()
    }

    /// Creates an intent that was paid by a method.
    pub(crate) async fn paid(&self, amount: i64, method: &str) -> Value {
        let intent = self.intent(amount).await;
        self.confirm(id(&intent), method).await.ok()
    }

    pub(crate) async fn confirm(&self, intent: &str, method: &str) -> Reply {
        let path = format!("/v1/payment_intents/{intent}/confirm");
        self.post(&path, &format!("payment_method={method}")).await
    }

    pub(crate) async fn read(&self, intent: &str) -> Value {
        self.get(&format!("/v1/payment_intents/{intent}")).await.ok()
    }

    /// Shuts the sandbox down as SIGTERM does, and returns the configuration for a restart on the same ledger.
    pub(crate) async fn stop(self) -> Setup {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
        Setup { directory: self.directory, ..Setup::new() }
    }

    /// Aborts the sandbox without a shutdown, and returns the configuration for a restart.
    pub(crate) async fn abort(self) -> Setup {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
        Setup { directory: self.directory, ..Setup::new() }
    }
}

/// Returns the id of an object.
pub(crate) fn id(object: &Value) -> &str {
    object["id"].as_str().unwrap()
}

/// Creates a client that follows no redirects.
pub(crate) fn client() -> reqwest::Client {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

pub(crate) async fn reply(request: reqwest::RequestBuilder) -> Reply {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Reply { status, headers, text, body }
}

/// Waits until `probe` returns a value, for a minute at most.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut probe: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(Instant::now() < deadline, "timed out waiting for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
