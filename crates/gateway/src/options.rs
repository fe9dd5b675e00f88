//! Settings of a gateway that its file does not contain.

use std::collections::BTreeMap;
use std::sync::Arc;

use ipnet::IpNet;

use crate::discovery::Discover;

/// Default of [`Options::max_connections_per_address`].
pub const MAX_CONNECTIONS_PER_ADDRESS: usize = 100;

/// Settings of a gateway that its file does not contain.
#[derive(Clone)]
pub struct Options {
    /// Enforcement of the file's rate limits. `true` by default.
    pub rate_limit: bool,
    /// Addresses that take precedence over those of the file: host as in the file (`user-service`) to base URL
    /// (`http://127.0.0.1:3001`, without a path).
    pub upstreams: BTreeMap<String, String>,
    /// Routes beside those of the file.
    pub extra_routes: Vec<ExtraRoute>,
    /// Maximum number of open connections of one client: an IPv4 address or an IPv6 network of 64 bits. A further one
    /// replaces the one that has waited for the client the longest, and is rejected with 503 if all are serving requests.
    /// 0 is unlimited; connections of trusted proxies are not counted.
    pub max_connections_per_address: usize,
    /// Networks of the proxies in front of the gateway, whose `X-Forwarded-*` are trusted (Kong's `trusted_ips`). Empty by
    /// default.
    pub trusted_proxies: Vec<IpNet>,
    /// Discovery of services that have no address in `upstreams`.
    pub discover: Option<Arc<dyn Discover>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rate_limit: true,
            upstreams: BTreeMap::new(),
            extra_routes: Vec::new(),
            max_connections_per_address: MAX_CONNECTIONS_PER_ADDRESS,
            trusted_proxies: Vec::new(),
            discover: None,
        }
    }
}

/// Route that the file does not have; the global plugins of the file apply to it.
#[derive(Clone, Debug)]
pub struct ExtraRoute {
    /// First segments of the path, such as `/sandbox`; `/sandboxes` does not match it. Stripped before the request is
    /// forwarded.
    pub prefix: String,
    /// Base URL of the upstream, which may have a path.
    pub url: String,
}
