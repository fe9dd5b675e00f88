//! Proxies whose `X-Forwarded-For` is trusted.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use ipnet::IpNet;
use tokio::time::Instant;

use crate::config::TrustedProxy;
use crate::task::worker::{NextRun, Worker, WorkerError};

/// Time between two resolutions of the names.
const RESOLVE_INTERVAL: Duration = Duration::from_secs(5);
/// Maximum time that one resolution takes.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(2);
/// Time for which the addresses of a name stay trusted while it cannot be resolved.
const STALE_AFTER: Duration = Duration::from_secs(60);

/// Addresses of a name, and the time at which they were resolved.
#[derive(Clone, Debug)]
struct Resolved {
    at: Instant,
    addresses: Vec<IpAddr>,
}

/// Trusted proxies, with the last resolved addresses of their names. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    networks: Arc<[IpNet]>,
    names: Arc<[String]>,
    /// Resolved addresses by the index of the name.
    resolved: Arc<RwLock<Vec<Option<Resolved>>>>,
}

impl TrustedProxies {
    /// Creates trusted proxies whose names [`resolve`](Self::resolve) resolves.
    #[must_use]
    pub fn new(entries: impl IntoIterator<Item = TrustedProxy>) -> Self {
        let (mut networks, mut names) = (Vec::new(), Vec::new());
        for entry in entries {
            match entry {
                TrustedProxy::Network(network) => networks.push(network),
                TrustedProxy::Name(name) => names.push(name),
            }
        }
        let resolved = Arc::new(RwLock::new(vec![None; names.len()]));
        Self { networks: networks.into(), names: names.into(), resolved }
    }

    /// Returns whether this is the address of a trusted proxy.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        if self.networks.iter().any(|network| network.contains(&address)) {
            return true;
        }
        !self.names.is_empty() && {
            let resolved = self.resolved.read().unwrap_or_else(PoisonError::into_inner);
            resolved.iter().flatten().any(|resolved| resolved.addresses.contains(&address))
        }
    }

    /// Resolves the names again. The addresses of a name that cannot be resolved are used for a minute.
    pub async fn resolve(&self) {
        let found = join_all(self.names.iter().map(|name| lookup(name))).await;
        let now = Instant::now();
        let mut resolved = self.resolved.write().unwrap_or_else(PoisonError::into_inner);
        for ((name, found), resolved) in self.names.iter().zip(found).zip(resolved.iter_mut()) {
            match found {
                Ok(addresses) => *resolved = Some(Resolved { at: now, addresses }),
                Err(error) => {
                    tracing::debug!(server.address = name, error, "trusted proxy not resolved");
                    if resolved.as_ref().is_some_and(|resolved| now - resolved.at >= STALE_AFTER) {
                        tracing::warn!(
                            server.address = name,
                            "trusted proxy not resolved for too long; addresses dropped"
                        );
                        *resolved = None;
                    }
                }
            }
        }
    }

    /// Returns the worker that resolves the names every five seconds; none without names.
    #[must_use]
    pub fn resolver(&self) -> Option<Arc<dyn Worker>> {
        (!self.names.is_empty()).then(|| Arc::new(Resolver(self.clone())) as Arc<dyn Worker>)
    }
}

async fn lookup(name: &str) -> Result<Vec<IpAddr>, String> {
    let found = tokio::time::timeout(RESOLVE_TIMEOUT, tokio::net::lookup_host((name, 0))).await;
    let found = found.map_err(|_| "timed out".to_owned())?.map_err(|error| error.to_string())?;
    Ok(found.map(|address| address.ip().to_canonical()).collect())
}

struct Resolver(TrustedProxies);

#[async_trait]
impl Worker for Resolver {
    fn name(&self) -> &'static str {
        "trusted-proxy-resolver"
    }

    async fn step(&self) -> Result<NextRun, WorkerError> {
        self.0.resolve().await;
        Ok(NextRun::OnWake)
    }

    fn interval(&self) -> Duration {
        RESOLVE_INTERVAL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_is_a_network_an_address_or_a_name() {
        for (text, network) in [("10.0.0.0/8", "10.0.0.0/8"), ("10.0.0.7", "10.0.0.7/32"), ("::1", "::1/128")] {
            assert_eq!(text.parse(), Ok(TrustedProxy::Network(network.parse().unwrap())), "{text}");
        }
        for name in ["kong", "kong.shopfleet.svc.cluster.local", "gateway-1.", "a_b"] {
            assert_eq!(name.parse(), Ok(TrustedProxy::Name(name.to_owned())));
        }
        for wrong in ["10.0.0.0/33", "10.0.0.256", "1", "kong:8000", "http://kong", "", "a..b", "*"] {
            assert!(wrong.parse::<TrustedProxy>().is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn addresses_of_a_name_are_trusted_until_they_are_stale() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let proxies =
            TrustedProxies::new(["localhost", "proxy.invalid", "192.0.2.0/24"].map(|text| text.parse().unwrap()));
        assert!(proxies.contains(ip("192.0.2.7")) && !proxies.contains(ip("127.0.0.1")), "not yet resolved");
        proxies.resolve().await;
        assert!(proxies.contains(ip("127.0.0.1")) && !proxies.contains(ip("198.51.100.1")));
        assert!(proxies.resolver().is_some());

        // Name that was resolved once and no longer exists.
        let gone = |at| Some(Resolved { at, addresses: vec![ip("203.0.113.1")] });
        proxies.resolved.write().unwrap()[1] = gone(Instant::now());
        proxies.resolve().await;
        assert!(proxies.contains(ip("203.0.113.1")));
        proxies.resolved.write().unwrap()[1] = gone(Instant::now().checked_sub(STALE_AFTER).unwrap());
        proxies.resolve().await;
        assert!(!proxies.contains(ip("203.0.113.1")));
        assert!(TrustedProxies::new(["10.0.0.0/8".parse().unwrap()]).resolver().is_none());
    }
}
