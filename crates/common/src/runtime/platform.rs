//! Platform of a service: the ports with their adapters, selected here only.

use std::sync::Arc;

use url::Url;

use super::faulty_bus::FaultyBus;
use super::faulty_cache::FaultyCache;
use super::start_error::StartError;
use crate::auth::JwksSource;
use crate::cache::Cache;
use crate::client::ServiceClient;
use crate::client::discovery::{Consul, Discovery, Registration};
use crate::config::{ConsulConfig, PlatformConfig, ServiceName};
use crate::database::store::StoreError;
use crate::fault::Faults;
use crate::http::{Health, HttpSettings};
use crate::messaging::bus::Bus;
use crate::telemetry::clock::SharedClock;
use crate::telemetry::metrics::Metrics;

/// Platform of a service, built once from its configuration. Clones share it.
#[derive(Clone)]
pub struct Platform {
    /// Name of the service.
    pub service: &'static str,
    /// Version of the service.
    pub version: String,
    /// Deployment environment, such as `production`.
    pub environment: String,
    /// Clock.
    pub clock: SharedClock,
    /// Metrics of the service.
    pub metrics: Metrics,
    /// Cache of the service.
    pub cache: Cache,
    /// Event bus.
    pub bus: Bus,
    /// Discovery of other services.
    pub discovery: Discovery,
    /// Registration with Consul, if configured.
    pub registration: Option<Registration>,
    /// Settings of the HTTP server.
    pub http: HttpSettings,
    /// Injected faults.
    pub faults: Faults,
}

impl Platform {
    /// Connects to the configured backends.
    ///
    /// # Errors
    /// The bus cannot be opened.
    pub async fn start(config: &PlatformConfig, clock: SharedClock) -> Result<Self, StartError> {
        let metrics = Metrics::new();
        metrics.describe(config.service, &config.version, &config.environment);
        let faults = if config.faults { Faults::on(config.service) } else { Faults::off() };
        let cache = Cache::connect(&config.cache, config.service, &metrics);
        let bus = Bus::connect(&config.bus, &metrics, clock.clone()).await;
        let bus = bus.map_err(|source| StartError::other("the event bus", source))?.for_service(config.service);
        let (cache, bus) = if faults.can_be_set() {
            let (for_cache, for_bus) = (faults.clone(), faults.clone());
            (
                cache.decorated(|inner| Arc::new(FaultyCache { inner, faults: for_cache })),
                bus.decorated(|inner| Arc::new(FaultyBus { inner, faults: for_bus })),
            )
        } else {
            (cache, bus)
        };
        let (discovery, registration) = match &config.consul {
            None => (Discovery::fixed(config.peers.clone()), None),
            Some(ConsulConfig { agent, advertise_host }) => {
                let consul =
                    Consul::new(agent.clone()).map_err(|source| StartError::other("the Consul client", source))?;
                let (host, version) = (advertise_host.clone(), config.version.clone());
                let registration = Registration::new(consul.clone(), config.service, host, version);
                (Discovery::by_consul(consul, config.peers.clone()), Some(registration))
            }
        };
        let mut http = HttpSettings::new(config, metrics.clone(), clock.clone());
        http.faults = faults.clone();
        http.trusted_proxies.resolve().await;
        Ok(Self {
            service: config.service,
            version: config.version.clone(),
            environment: config.environment.clone(),
            clock,
            metrics,
            cache,
            bus,
            discovery,
            registration,
            http,
            faults,
        })
    }

    /// Returns the source of the keys that sign tokens: this URL, or the discovered user service.
    #[must_use]
    pub fn jwks(&self, url: Option<Url>) -> JwksSource {
        url.map_or_else(|| JwksSource::from(self.discovery.clone()), JwksSource::from)
    }

    /// Returns the health checks: the service's own store, which is critical, and the bus, cache, discovery and called
    /// services, which are not.
    pub fn health<F, Fut>(&self, database: F, peers: &'static [ServiceName]) -> Health
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), StoreError>> + Send + 'static,
    {
        let store = move || {
            let response = database();
            async move { Ok(response.await?) }
        };
        let (bus, cache, discovery) = (self.bus.clone(), self.cache.clone(), self.discovery.clone());
        let events = move || {
            let bus = bus.clone();
            async move { Ok(bus.ping().await?) }
        };
        let cached = move || {
            let cache = cache.clone();
            async move { cache.ping().await }
        };
        let mut health =
            Health::new().critical("database", store).dependency("bus", events).dependency("cache", cached);
        if !peers.is_empty() || self.registration.is_some() {
            let found = move || {
                let discovery = discovery.clone();
                async move {
                    discovery.ping().await?;
                    for peer in peers {
                        discovery.resolve(*peer).await?;
                    }
                    Ok(())
                }
            };
            health = health.dependency("discovery", found);
        }
        let client = ServiceClient::new(self.service, self.discovery.clone(), self.clock.clone(), &self.metrics);
        for peer in peers {
            let client = client.clone();
            let alive = move || {
                let call = client.get(*peer, "/health/live");
                async move {
                    let response = call.send().await?;
                    if response.is_success() { Ok(()) } else { Err(response.unexpected().into()) }
                }
            };
            health = health.dependency(peer.as_str(), alive);
        }
        health
    }
}
