//! Where the other services are.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use contracts::Scope;
use url::Url;

use crate::BoxError;
use crate::config::Settings;

mod consul;
mod registration;

pub use consul::Consul;
use consul::Held;
pub use registration::Registration;

macro_rules! services {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $variable:literal, $example:literal;)*) => {
        /// A service of the fleet.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ServiceName { $($(#[$doc])* $variant,)* }

        impl ServiceName {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its name: host in the gateway's file, name in Consul, label of metrics.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The variable that holds its fixed address.
            #[must_use]
            pub const fn env(self) -> &'static str {
                match self { $(Self::$variant => $variable),* }
            }

            const fn example(self) -> &'static str {
                match self { $(Self::$variant => $example),* }
            }
        }
    };
}

services! {
    /// Accounts and tokens.
    User = "user-service", "USER_SERVICE_URL", "http://127.0.0.1:3001";
    /// Catalogue and stock.
    Product = "product-service", "PRODUCT_SERVICE_URL", "http://127.0.0.1:3002";
    /// Orders.
    Order = "order-service", "ORDER_SERVICE_URL", "http://127.0.0.1:3003";
    /// Payments.
    Payment = "payment-service", "PAYMENT_SERVICE_URL", "http://127.0.0.1:3004";
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl ServiceName {
    /// Returns the scopes that the service's own client needs, and no more. The user service calls nobody.
    #[must_use]
    pub const fn scopes(self) -> &'static [Scope] {
        match self {
            Self::User => &[],
            Self::Product => &[Scope::UsersRead, Scope::OrdersAbandon],
            Self::Order => &[Scope::UsersRead, Scope::ProductsReserve],
            Self::Payment => &[Scope::UsersRead, Scope::OrdersRead],
        }
    }
}

/// Fixed addresses of services, as far as they are set.
#[derive(Clone, Debug, Default)]
pub struct Peers(BTreeMap<ServiceName, Url>);

impl Peers {
    /// Reads the `<NAME>_SERVICE_URL` variables that are set.
    pub fn read(settings: &mut Settings<'_>) -> Option<Self> {
        let (mut peers, mut right) = (BTreeMap::new(), true);
        for name in ServiceName::ALL {
            let url = match settings.optional::<Url>(name.env(), name.example()) {
                Some(Some(url)) => url,
                Some(None) => continue,
                None => {
                    right = false;
                    continue;
                }
            };
            if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
                let example = format!("is wrong: it is no HTTP address; for example {}={}", name.env(), name.example());
                settings.problem(name.env(), example);
                right = false;
                continue;
            }
            peers.insert(*name, url);
        }
        right.then_some(Self(peers))
    }

    /// Notes a problem if this address is not set.
    pub fn require(&self, settings: &mut Settings<'_>, name: ServiceName) {
        if !self.0.contains_key(&name) {
            let example = format!("is missing; set it, for example {}={}", name.env(), name.example());
            settings.problem(name.env(), example);
        }
    }

    /// The address of a service, if it is set.
    #[must_use]
    pub fn get(&self, name: ServiceName) -> Option<&Url> {
        self.0.get(&name)
    }
}

impl FromIterator<(ServiceName, Url)> for Peers {
    fn from_iter<I: IntoIterator<Item = (ServiceName, Url)>>(peers: I) -> Self {
        Self(peers.into_iter().collect())
    }
}

/// Why no address is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no instance of the {0} is known; start one, or set {variable}", variable = .0.env())]
pub struct DiscoveryError(pub ServiceName);

/// Finds instances of services. Registering them is another matter.
#[async_trait]
pub trait DiscoveryBackend: Send + Sync + 'static {
    /// An instance.
    async fn resolve(&self, name: ServiceName) -> Result<Found, DiscoveryError>;
    /// Whether it answers.
    async fn ping(&self) -> Result<(), BoxError>;
}

/// An instance that was found. It counts as under way until it is dropped.
pub struct Found {
    /// Its address.
    pub url: Url,
    held: Option<Held>,
}

impl Found {
    /// It did not answer, or said that it is unavailable: it is left out for a while, if there are others.
    pub fn failed(&self) {
        if let Some(held) = &self.held {
            held.failed();
        }
    }

    /// It answered.
    pub fn answered(&self) {
        if let Some(held) = &self.held {
            held.answered();
        }
    }

    /// Whether another instance is known.
    #[must_use]
    pub fn has_others(&self) -> bool {
        self.held.as_ref().is_some_and(Held::has_others)
    }

    /// Whether another instance is known that did not fail of late.
    #[must_use]
    pub fn has_fit_others(&self) -> bool {
        self.held.as_ref().is_some_and(Held::has_fit_others)
    }
}

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
    use crate::config::Env;

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

    #[test]
    fn an_address_that_is_none_is_refused() {
        for wrong in ["orders", "ftp://orders", "unix:/x"] {
            let env = Env::from_pairs([("ORDER_SERVICE_URL", wrong)]);
            let mut settings = Settings::new(&env);
            let peers = Peers::read(&mut settings);
            assert!(settings.finish(peers).is_err(), "{wrong}");
        }
    }

    #[test]
    fn all_wrong_addresses_are_told_at_once() {
        let env = Env::from_pairs([("USER_SERVICE_URL", "users"), ("ORDER_SERVICE_URL", "ftp://orders")]);
        let mut settings = Settings::new(&env);
        let peers = Peers::read(&mut settings);
        let error = settings.finish(peers).unwrap_err();
        assert_eq!(error.problems().len(), 2, "{error}");
    }
}
