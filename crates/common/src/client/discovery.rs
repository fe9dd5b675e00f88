//! Where the other services are.

use std::sync::Arc;

use async_trait::async_trait;

use crate::BoxError;

mod backend;
mod consul;
mod instances;
mod registration;

pub use crate::config::{Peers, ServiceName};
pub use backend::{DiscoveryBackend, DiscoveryError, Found};
pub use consul::Consul;
pub use registration::Registration;

/// Finds services. Clones share what they know.
#[derive(Clone)]
pub struct Discovery(Arc<dyn DiscoveryBackend>);

impl Discovery {
    /// Over any adapter.
    #[must_use]
    pub fn new(backend: Arc<dyn DiscoveryBackend>) -> Self {
        Self(backend)
    }

    /// By fixed addresses; which DNS names fit, too.
    #[must_use]
    pub fn fixed(peers: Peers) -> Self {
        Self::new(Arc::new(peers))
    }

    /// By Consul, but for those services whose addresses are fixed.
    #[must_use]
    pub fn by_consul(consul: Consul, fixed: Peers) -> Self {
        Self::new(Arc::new(ConsulBut { consul, fixed }))
    }

    /// An instance of this service.
    ///
    /// # Errors
    /// If none is known.
    pub async fn resolve(&self, name: ServiceName) -> Result<Found, DiscoveryError> {
        self.0.resolve(name).await
    }

    /// Whether what it finds services by answers.
    ///
    /// # Errors
    /// If it does not.
    pub async fn ping(&self) -> Result<(), BoxError> {
        self.0.ping().await
    }
}

#[async_trait]
impl DiscoveryBackend for Peers {
    async fn resolve(&self, name: ServiceName) -> Result<Found, DiscoveryError> {
        let url = self.get(name).cloned().ok_or(DiscoveryError(name))?;
        Ok(Found { url, held: None })
    }

    async fn ping(&self) -> Result<(), BoxError> {
        Ok(())
    }
}

/// Consul, but for those services whose addresses are fixed.
struct ConsulBut {
    consul: Consul,
    fixed: Peers,
}

#[async_trait]
impl DiscoveryBackend for ConsulBut {
    async fn resolve(&self, name: ServiceName) -> Result<Found, DiscoveryError> {
        if self.fixed.get(name).is_some() { self.fixed.resolve(name).await } else { self.consul.resolve(name).await }
    }

    async fn ping(&self) -> Result<(), BoxError> {
        DiscoveryBackend::ping(&self.consul).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Env, Settings};

    #[tokio::test]
    async fn fixed_addresses_are_found_and_missing_ones_named() {
        let env = Env::from_pairs([("ORDER_SERVICE_URL", "http://orders:3003")]);
        let mut settings = Settings::new(&env);
        let peers = Peers::read(&mut settings).unwrap();
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
