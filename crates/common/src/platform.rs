//! What a service is built from: the ports with their adapters, chosen here and nowhere else.

use crate::bus::Bus;
use crate::cache::Cache;
use crate::clock::SharedClock;
use crate::config::PlatformConfig;
use crate::discovery::Discovery;
use crate::http::HttpSettings;
use crate::metrics::Metrics;
pub use crate::service::StartError;

/// What every service stands on, made once from its configuration. Clones share it.
#[derive(Clone)]
pub struct Platform {
    /// The service's name.
    pub service: &'static str,
    /// Its version.
    pub version: String,
    /// Such as `production`.
    pub environment: String,
    /// The time.
    pub clock: SharedClock,
    /// Its metrics.
    pub metrics: Metrics,
    /// Its cache.
    pub cache: Cache,
    /// The fleet's events.
    pub bus: Bus,
    /// Where the other services are.
    pub discovery: Discovery,
    /// How it serves HTTP.
    pub http: HttpSettings,
}

impl Platform {
    /// Connects to what the configuration names.
    ///
    /// # Errors
    /// If the bus cannot be opened.
    pub async fn start(config: &PlatformConfig, clock: SharedClock) -> Result<Self, StartError> {
        let metrics = Metrics::new();
        let cache = Cache::connect(&config.cache, config.service, &metrics);
        let bus = Bus::connect(&config.bus, &metrics, clock.clone())
            .await
            .map_err(|source| StartError::other("the event bus", source))?;
        let http = HttpSettings::new(config, metrics.clone(), clock.clone());
        Ok(Self {
            service: config.service,
            version: config.version.clone(),
            environment: config.environment.clone(),
            clock,
            metrics,
            cache,
            bus,
            discovery: Discovery::fixed(config.peers.clone()),
            http,
        })
    }
}
