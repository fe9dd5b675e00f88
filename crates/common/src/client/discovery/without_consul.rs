//! Stand-in for the Consul adapter in builds without the feature `consul`: no value of these types exists.

use std::convert::Infallible;
use std::net::SocketAddr;

use async_trait::async_trait;
use url::Url;

use super::backend::{DiscoveryBackend, DiscoveryError, ResolvedInstance};
use crate::BoxError;
use crate::config::{ServiceName, missing_feature};
use crate::task::shutdown::Shutdown;

/// Discovery by a Consul agent, which this build has no adapter for.
#[derive(Clone)]
pub struct Consul(Infallible);

impl Consul {
    /// Creates no discovery.
    ///
    /// # Errors
    /// Always; the error names the feature.
    pub fn new(_agent: Url) -> Result<Self, BoxError> {
        Err(missing_feature("Consul", "consul").into())
    }

    /// Returns an instance if one is known now.
    #[must_use]
    pub fn pick(&self, _name: ServiceName) -> Option<ResolvedInstance> {
        match self.0 {}
    }

    /// Records that the instance at this address accepted no connection.
    pub fn failed(&self, _name: ServiceName, _host: &str, _port: u16) {
        match self.0 {}
    }

    /// Checks that the agent is available.
    ///
    /// # Errors
    /// The agent is unavailable.
    pub async fn ping(&self) -> Result<(), BoxError> {
        match self.0 {}
    }
}

#[async_trait]
impl DiscoveryBackend for Consul {
    async fn resolve(&self, _name: ServiceName) -> Result<ResolvedInstance, DiscoveryError> {
        match self.0 {}
    }

    async fn ping(&self) -> Result<(), BoxError> {
        match self.0 {}
    }
}

/// Entry of a service at Consul, which this build has no adapter for.
#[derive(Clone)]
pub struct Registration(Infallible);

impl Registration {
    /// Creates a registration of a service.
    #[must_use]
    pub fn new(consul: Consul, _name: &'static str, _host: String, _version: String) -> Self {
        Self(consul.0)
    }

    /// Keeps the service registered until the shutdown begins.
    pub async fn run(self, _address: SocketAddr, _shutdown: Shutdown) {
        match self.0 {}
    }
}
