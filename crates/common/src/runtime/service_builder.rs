//! Builder of a service from its platform, stores, workers and consumers.

use std::sync::Arc;

use contracts::topology::Queue;
use utoipa_axum::router::OpenApiRouter;

use super::platform::Platform;
use super::service::Service;
use super::start_error::StartError;
use crate::auth::{Revocations, ServiceTokens, TokenVerifier};
use crate::client::ServiceClient;
use crate::config::{BackendConfig, ServiceName};
use crate::database::mail_queue::MailQueue;
use crate::database::outbox::Outbox;
use crate::database::row_count_gauge::RowCountWorker;
use crate::database::store::StoreError;
use crate::http::{Health, OpenApiInfo, Uploads, ops, with_platform_layers};
use crate::mail::{MailConfig, MailRenderer, MailStatus, MailWorker, PublicUrl};
use crate::messaging::consumer::{Consumer, EventHandler};
use crate::task::worker::Worker;

/// Builder of a service.
///
/// It adds what all services share: the outbox relay, the gauge of dead letters, the endpoints for operators, health,
/// and the HTTP layers. [`ServiceBuilder::backend`] also adds authentication by the user service and its workers.
#[must_use = "a builder does nothing until it is built"]
pub struct ServiceBuilder {
    platform: Platform,
    outbox: Outbox,
    queues: &'static [Queue],
    workers: Vec<Arc<dyn Worker>>,
    consumers: Vec<Consumer>,
    mail: Option<MailStatus>,
}

/// Client, tokens and verifier of a service that trusts the user service.
#[derive(Clone)]
pub struct Backend {
    /// Client for calls to other services.
    pub client: ServiceClient,
    /// Tokens of those calls.
    pub tokens: ServiceTokens,
    /// Verifier of the callers' tokens.
    pub verifier: TokenVerifier,
}

impl ServiceBuilder {
    /// Creates a builder of a service that publishes the events of `outbox` and consumes `queues`.
    pub fn new(platform: Platform, outbox: Outbox, queues: &'static [Queue]) -> Self {
        let relay = outbox.relay(platform.bus.clone(), platform.clock.clone(), &platform.metrics);
        let mut workers = vec![relay];
        if !queues.is_empty() {
            workers.push(platform.bus.dead_letter_gauge(queues));
        }
        Self { platform, outbox, queues, workers, consumers: Vec::new(), mail: None }
    }

    /// Adds authentication by the user service: a client with service tokens, a verifier that rejects revoked tokens,
    /// their workers, and the consumer of the revocation queue.
    ///
    /// # Errors
    /// The revocations cannot be loaded.
    pub async fn backend(
        &mut self,
        config: &BackendConfig,
        revocations: Revocations,
        revocation_queue: Queue,
    ) -> Result<Backend, StoreError> {
        let BackendConfig { platform, jwks_url, client_id, client_secret, .. } = config;
        let Platform { service, discovery, clock, metrics, .. } = &self.platform;
        let client = ServiceClient::new(service, discovery.clone(), clock.clone(), metrics);
        let tokens = ServiceTokens::new(client.clone(), client_id.clone(), client_secret.clone(), clock.clone());
        tokens.observe(metrics);
        revocations.load().await?;
        let verifier = TokenVerifier::remote(
            self.platform.jwks(jwks_url.clone()),
            &platform.issuer,
            clock.clone(),
            client.clone(),
        )
        .with_revocations(revocations.clone());
        verifier.observe(metrics);
        self.workers.extend([tokens.refresh_worker(), verifier.refresh_worker()]);
        self.workers.extend(revocations.workers(client.clone(), tokens.clone()));
        self.add_consumer(revocations.handler(revocation_queue));
        Ok(Backend { client, tokens, verifier })
    }

    /// Returns the platform.
    #[must_use]
    pub const fn platform(&self) -> &Platform {
        &self.platform
    }

    /// Adds the worker that sends the mails of a queue, if a transport is configured. `renderer` gets the address of the shop
    /// in links.
    ///
    /// # Errors
    /// The transport cannot be opened.
    pub fn mails<R: MailRenderer>(
        mut self,
        config: Option<&MailConfig>,
        queue: MailQueue,
        renderer: impl FnOnce(PublicUrl) -> R,
    ) -> Result<Self, StartError> {
        let Some(config) = config else {
            tracing::warn!("MAIL_URL is not set: no mails are sent");
            return Ok(self);
        };
        let renderer = Arc::new(renderer(config.public_url.clone()));
        let (clock, metrics) = (self.platform.clock.clone(), &self.platform.metrics);
        let worker = MailWorker::open(config, queue, renderer, clock, metrics);
        let worker = worker.map_err(|source| StartError::other("the transport of mails", source))?;
        self.mail = Some(worker.status());
        Ok(self.worker(worker))
    }

    /// Returns the health checks: `ping` of the service's own store, and those of the platform, of the mails and of the
    /// called services.
    pub fn health<T, Fut>(
        &self,
        store: T,
        ping: impl Fn(T) -> Fut + Send + Sync + 'static,
        called: &'static [ServiceName],
    ) -> Health
    where
        T: Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<(), StoreError>> + Send + 'static,
    {
        let health = self.platform.health(move || ping(store.clone()), called);
        match self.mail.clone() {
            Some(mail) => health.dependency("mail", move || std::future::ready(mail.check())),
            None => health,
        }
    }

    /// Sets the route that takes uploads.
    pub const fn uploads(mut self, uploads: Uploads) -> Self {
        self.platform.http.uploads = Some(uploads);
        self
    }

    /// Adds a worker.
    pub fn worker(mut self, worker: impl Worker) -> Self {
        self.workers.push(Arc::new(worker));
        self
    }

    /// Adds a worker that refreshes row-count gauges with `count`.
    pub fn row_counts<T, Fut>(mut self, store: T, count: impl Fn(T) -> Fut + Send + Sync + 'static) -> Self
    where
        T: Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<(), StoreError>> + Send + 'static,
    {
        self.workers.push(RowCountWorker::worker(self.platform.clock.clone(), move || count(store.clone())));
        self
    }

    /// Adds a consumer of the handler's queue.
    pub fn consumer(mut self, handler: impl EventHandler) -> Self {
        self.add_consumer(Arc::new(handler));
        self
    }

    /// Builds the service with its endpoints, and with the endpoints and layers that all services share.
    #[must_use]
    pub fn build(self, router: OpenApiRouter, info: OpenApiInfo, verifier: TokenVerifier, health: Health) -> Service {
        let Self { platform, outbox, queues, workers, consumers, mail: _ } = self;
        let (bus, clock, faults) = (platform.bus.clone(), platform.clock.clone(), platform.faults.clone());
        let router = router.merge(ops::router(outbox, bus, queues, verifier, clock, faults));
        let router = with_platform_layers(router, info, &platform.http, health);
        Service { platform, router, workers, consumers }
    }

    fn add_consumer(&mut self, handler: Arc<dyn EventHandler>) {
        self.consumers.push(Consumer::new(self.platform.bus.clone(), handler, self.platform.clock.clone()));
    }
}
