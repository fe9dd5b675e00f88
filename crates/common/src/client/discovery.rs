//! Discovery of other services, by static addresses or Consul.

use std::sync::Arc;

use async_trait::async_trait;

use crate::BoxError;

mod backend;
#[cfg(feature = "consul")]
mod consul;
#[cfg_attr(not(feature = "consul"), allow(dead_code, reason = "used by the Consul adapter"))]
mod instances;
#[cfg(feature = "consul")]
mod registration;
#[cfg(not(feature = "consul"))]
mod without_consul;

pub use crate::config::{ServiceName, StaticAddresses};
pub use backend::{DiscoveryBackend, DiscoveryError, ResolvedInstance};
#[cfg(feature = "consul")]
pub use consul::Consul;
#[cfg(feature = "consul")]
pub use registration::Registration;
#[cfg(not(feature = "consul"))]
pub use without_consul::{Consul, Registration};

/// Service discovery. Clones share its state.
#[derive(Clone)]
pub struct Discovery(Arc<dyn DiscoveryBackend>);

impl Discovery {
    /// Creates a discovery over an adapter.
    #[must_use]
    pub fn new(backend: Arc<dyn DiscoveryBackend>) -> Self {
        Self(backend)
    }

    /// Creates a discovery with static addresses, which may be DNS names.
    #[must_use]
    pub fn fixed(peers: StaticAddresses) -> Self {
        Self::new(Arc::new(peers))
    }

    /// Creates a discovery by Consul with static overrides.
    #[must_use]
    pub fn by_consul(consul: Consul, fixed: StaticAddresses) -> Self {
        Self::new(Arc::new(ConsulWithOverrides { consul, fixed }))
    }

    /// Returns an instance of a service.
    ///
    /// # Errors
    /// No instance is known.
    pub async fn resolve(&self, name: ServiceName) -> Result<ResolvedInstance, DiscoveryError> {
        self.0.resolve(name).await
    }

    /// Checks that the discovery backend is available.
    ///
    /// # Errors
    /// The backend is unavailable.
    pub async fn ping(&self) -> Result<(), BoxError> {
        self.0.ping().await
    }
}

#[async_trait]
impl DiscoveryBackend for StaticAddresses {
    async fn resolve(&self, name: ServiceName) -> Result<ResolvedInstance, DiscoveryError> {
        let url = self.get(name).cloned().ok_or(DiscoveryError(name))?;
        Ok(ResolvedInstance { url, guard: None })
    }

    async fn ping(&self) -> Result<(), BoxError> {
        Ok(())
    }
}

/// Consul discovery with static overrides.
struct ConsulWithOverrides {
    consul: Consul,
    fixed: StaticAddresses,
}

#[async_trait]
impl DiscoveryBackend for ConsulWithOverrides {
    async fn resolve(&self, name: ServiceName) -> Result<ResolvedInstance, DiscoveryError> {
        if self.fixed.get(name).is_some() { self.fixed.resolve(name).await } else { self.consul.resolve(name).await }
    }

    async fn ping(&self) -> Result<(), BoxError> {
        DiscoveryBackend::ping(&self.consul).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{EnvReader, Environment};

    #[tokio::test]
    async fn static_addresses_are_resolved_and_missing_ones_named() {
        let env = Environment::from_pairs([("ORDER_SERVICE_URL", "http://orders:3003")]);
        let mut settings = EnvReader::new(&env);
        let peers = StaticAddresses::read(&mut settings).unwrap();
        peers.require(&mut settings, ServiceName::Order);
        peers.require(&mut settings, ServiceName::User);
        let error = settings.finish(Some(())).unwrap_err();
        assert_eq!(error.problems().len(), 1);
        assert!(error.to_string().contains("USER_SERVICE_URL=http://127.0.0.1:3001"), "{error}");

        let discovery = Discovery::fixed(peers);
        assert_eq!(discovery.resolve(ServiceName::Order).await.unwrap().url.as_str(), "http://orders:3003/");
        let missing = discovery.resolve(ServiceName::User).await.err().unwrap();
        assert!(missing.to_string().contains("USER_SERVICE_URL"), "{missing}");
    }
}
