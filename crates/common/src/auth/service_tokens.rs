//! Tokens for calls to other services.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use contracts::api::TokenResponse;
use secrecy::{ExposeSecret, SecretString};

use crate::client::{Bearer, CallError, ServiceClient};
use crate::config::ServiceName;
use crate::task::detached::SingleFlight;
use crate::task::worker::{NextRun, Worker, WorkerError};
use crate::telemetry::clock::SharedClock;
use crate::telemetry::metrics::Metrics;

/// Path of the token endpoint.
const PATH: &str = "/api/auth/token";
/// Maximum time of a token request.
const FETCH_TIMEOUT: Duration = Duration::from_secs(3);
/// Margin before the expiry of a token in which it is not used any more, so that no token expires in transit.
const MARGIN: TimeDelta = TimeDelta::seconds(5);

/// Service tokens (OAuth 2 client credentials, RFC 6749 section 4.4), cached and shared by clones.
///
/// A token is renewed at half its life, so a short outage of the user service affects no calls.
#[derive(Clone)]
pub struct ServiceTokens(Arc<Inner>);

struct Inner {
    client: ServiceClient,
    id: String,
    secret: SecretString,
    clock: SharedClock,
    current: RwLock<Option<Token>>,
    /// Fetch of a token. It runs as its own task, so the deadline of a waiting request does not cut it short.
    fetching: SingleFlight<Result<Token, Arc<CallError>>>,
}

#[derive(Clone)]
struct Token {
    bearer: Bearer,
    renew_at: DateTime<Utc>,
    unusable_at: DateTime<Utc>,
}

impl ServiceTokens {
    /// Creates tokens for the client `id` of the user service.
    #[must_use]
    pub fn new(client: ServiceClient, id: impl Into<String>, secret: SecretString, clock: SharedClock) -> Self {
        let (current, fetching) = (RwLock::new(None), SingleFlight::default());
        Self(Arc::new(Inner { client, id: id.into(), secret, clock, current, fetching }))
    }

    /// Returns a valid token.
    ///
    /// # Errors
    /// No token is cached, and the user service does not issue one.
    pub async fn bearer(&self) -> Result<Bearer, CallError> {
        if let Some(token) = self.usable() {
            if token.renew_at <= self.now() {
                self.renew_in_background();
            }
            return Ok(token.bearer);
        }
        Ok(self.fetch_unless(Self::usable).await?.bearer)
    }

    /// Registers a metric with the expiry of the cached token.
    pub fn observe(&self, metrics: &Metrics) {
        let help = "Expiry of the service token as Unix time; 0 before the first token.";
        let expiry = metrics.gauge_vec("service_token_expiry_timestamp_seconds", help, &[]);
        let (expiry, tokens) = (expiry.with_label_values::<&str>(&[]), self.clone());
        metrics.before_render(move || {
            expiry.set(tokens.held().map_or(0, |token| (token.unusable_at + MARGIN).timestamp()));
        });
    }

    /// Returns the worker that renews the token even without calls.
    #[must_use]
    pub fn refresh_worker(&self) -> Arc<dyn Worker> {
        Arc::new(TokenRefresher(self.clone()))
    }

    fn renew_in_background(&self) {
        let tokens = self.clone();
        tokio::spawn(async move {
            if let Err(error) = tokens.renew().await {
                let error = crate::error_chain(&error);
                tracing::warn!(error, "service token renewal failed; using the cached token");
            }
        });
    }

    /// Fetches a token unless the cached one is not due for renewal.
    async fn renew(&self) -> Result<(), CallError> {
        let young = |tokens: &Self| tokens.held().filter(|token| tokens.now() < token.renew_at);
        self.fetch_unless(young).await?;
        Ok(())
    }

    /// Fetches a token, together with all concurrent callers, unless `known` returns one.
    async fn fetch_unless(&self, known: impl FnOnce(&Self) -> Option<Token>) -> Result<Token, CallError> {
        let tokens = self.clone();
        let fetch = || async move { tokens.fetch().await.map_err(Arc::new) };
        self.0.fetching.join(|| known(self).map(Ok), fetch).await.map_err(CallError::shared)
    }

    async fn fetch(&self) -> Result<Token, CallError> {
        let asked_at = self.now();
        // Both parts are form-encoded before they are joined (RFC 6749, section 2.3.1).
        let [id, secret] = [&self.0.id, self.0.secret.expose_secret()].map(form_encoded);
        let call = self.0.client.post(ServiceName::User, PATH).basic(&BASE64_STANDARD.encode(format!("{id}:{secret}")));
        let call = call.form(&[("grant_type", "client_credentials")]).timeout(FETCH_TIMEOUT);
        let response = call.send().await?;
        if !response.is_success() {
            let hint = if response.status() == 401 { ": CLIENT_ID or CLIENT_SECRET is invalid" } else { "" };
            let source = format!("token request failed with status {}{hint}", response.status()).into();
            return Err(CallError::InvalidResponse { to: ServiceName::User, source });
        }
        let response: TokenResponse = response.json()?;
        let life = TimeDelta::seconds(i64::try_from(response.expires_in.min(86_400)).unwrap_or(0));
        let token = Token {
            bearer: Bearer::new(response.access_token.into()),
            renew_at: asked_at + life / 2,
            unusable_at: asked_at + life - MARGIN,
        };
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        Ok(token)
    }

    fn held(&self) -> Option<Token> {
        self.0.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn usable(&self) -> Option<Token> {
        self.held().filter(|token| self.now() < token.unusable_at)
    }

    fn now(&self) -> DateTime<Utc> {
        self.0.clock.now()
    }
}

fn form_encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

struct TokenRefresher(ServiceTokens);

#[async_trait]
impl Worker for TokenRefresher {
    fn name(&self) -> &'static str {
        "service-token-renewer"
    }

    async fn step(&self) -> Result<NextRun, WorkerError> {
        self.0.renew().await?;
        Ok(self.0.held().map_or(NextRun::OnWake, |token| NextRun::At(token.renew_at)))
    }
}
