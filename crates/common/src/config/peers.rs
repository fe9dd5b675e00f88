//! Services of the fleet and their fixed addresses.

use std::collections::BTreeMap;
use std::fmt;

use contracts::Scope;
use url::Url;

use super::reader::EnvReader;

macro_rules! services {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $variable:literal, $example:literal;)*) => {
        /// A service of the fleet.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ServiceName { $($(#[$doc])* $variant,)* }

        impl ServiceName {
            /// All services.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Returns the name, used as host in the gateway's file, service name in Consul, and label of metrics.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// Returns the variable that holds the static address.
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
    /// Service for accounts and tokens.
    User = "user-service", "USER_SERVICE_URL", "http://127.0.0.1:3001";
    /// Service for the catalogue and stock.
    Product = "product-service", "PRODUCT_SERVICE_URL", "http://127.0.0.1:3002";
    /// Service for orders.
    Order = "order-service", "ORDER_SERVICE_URL", "http://127.0.0.1:3003";
    /// Service for payments.
    Payment = "payment-service", "PAYMENT_SERVICE_URL", "http://127.0.0.1:3004";
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl ServiceName {
    /// Returns the scopes that the service's own client needs. The user service calls no other service.
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

/// Static addresses of services, as far as they are configured.
#[derive(Clone, Debug, Default)]
pub struct StaticAddresses(BTreeMap<ServiceName, Url>);

impl StaticAddresses {
    /// Reads the `<NAME>_SERVICE_URL` variables that are set.
    pub fn read(reader: &mut EnvReader<'_>) -> Option<Self> {
        let (mut peers, mut right) = (BTreeMap::new(), true);
        for name in ServiceName::ALL {
            let url = match reader.optional::<Url>(name.env(), name.example()) {
                Some(Some(url)) => url,
                Some(None) => continue,
                None => {
                    right = false;
                    continue;
                }
            };
            if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
                let example = format!("is invalid: not an HTTP URL; for example {}={}", name.env(), name.example());
                reader.problem(name.env(), example);
                right = false;
                continue;
            }
            peers.insert(*name, url);
        }
        right.then_some(Self(peers))
    }

    /// Records a problem if the address of a service is not set.
    pub fn require(&self, reader: &mut EnvReader<'_>, name: ServiceName) {
        if !self.0.contains_key(&name) {
            let example = format!("is missing; set it, for example {}={}", name.env(), name.example());
            reader.problem(name.env(), example);
        }
    }

    /// Returns the address of a service, if it is set.
    #[must_use]
    pub fn get(&self, name: ServiceName) -> Option<&Url> {
        self.0.get(&name)
    }
}

impl FromIterator<(ServiceName, Url)> for StaticAddresses {
    fn from_iter<I: IntoIterator<Item = (ServiceName, Url)>>(peers: I) -> Self {
        Self(peers.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;

    #[test]
    fn invalid_address_is_rejected() {
        for wrong in ["orders", "ftp://orders", "unix:/x"] {
            let env = Environment::from_pairs([("ORDER_SERVICE_URL", wrong)]);
            let mut reader = EnvReader::new(&env);
            let peers = StaticAddresses::read(&mut reader);
            assert!(reader.finish(peers).is_err(), "{wrong}");
        }
    }

    #[test]
    fn all_invalid_addresses_are_reported_at_once() {
        let env = Environment::from_pairs([("USER_SERVICE_URL", "users"), ("ORDER_SERVICE_URL", "ftp://orders")]);
        let mut reader = EnvReader::new(&env);
        let peers = StaticAddresses::read(&mut reader);
        let error = reader.finish(peers).unwrap_err();
        assert_eq!(error.problems().len(), 2, "{error}");
    }
}
