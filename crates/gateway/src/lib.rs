//! A reverse proxy that runs Kong's declarative file (`kong/kong.yml`, format 3.0, without a database) for local use.
//!
//! The file is the one that Kong 3.4.2 reads in production, and what is done here is what Kong does with it: the same
//! routing, the same plugins in the same order, the same headers and the same bodies of errors. What Kong knows and this
//! gateway does not do is refused when the file is read, by name and line, so that nothing in it is ever ignored.
//!
//! Where it differs, on purpose: rate limits are counted in memory whatever the `policy`, and an IPv6 network of 64 bits is
//! one client; bodies are always streamed; an upstream that refuses the connection is 503 (nothing was sent, a client may
//! try again); and a body that is too large is 413 also for a client that sent `Expect: 100-continue` (417 in Kong).

mod access;
mod address;
mod answer;
mod body;
mod config;
mod connect;
mod connections;
mod headers;
mod metrics;
mod path;
mod plugins;
mod proxy;
mod router;
mod server;
mod status;
mod upstream;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use config::{ConfigErrors, GatewayConfig};

/// The gateway's file of this repository, `kong/kong.yml`.
pub const KONG_YML: &str = include_str!("../../../kong/kong.yml");

/// Default of [`Options::max_connections_per_address`].
pub const MAX_CONNECTIONS_PER_ADDRESS: usize = 100;

/// How long requests in flight may take to finish once a shutdown was asked for.
const DRAIN: Duration = Duration::from_secs(10);

/// Finds instances of services while the gateway runs.
pub trait Discover: Send + Sync + 'static {
    /// An instance of the service that the file calls `host`; `None` if it is not found in this way.
    fn pick(&self, host: &str) -> Option<Instance>;
    /// The instance of this service at this address took no connection: it is to be left out for a while.
    fn failed(&self, service: &str, host: &str, port: u16);
}

/// A request that is under way at an instance, as long as it is held.
pub trait UnderWay: Send + Sync {
    /// The instance answered; `well`, unless it says that it is unavailable (503), breaks off, or is late.
    fn answered(&self, well: bool);
}

/// An instance that was picked.
pub struct Instance {
    /// Where it is.
    pub authority: http::uri::Authority,
    /// What comes of the request.
    pub request: Box<dyn UnderWay>,
}

/// What the file does not say: how it is run here.
#[derive(Clone)]
pub struct Options {
    /// Whether the rate limits of the file count. `true` by default.
    pub rate_limit: bool,
    /// Addresses that win over those of the file: host as in the file (`user-service`) to base URL
    /// (`http://127.0.0.1:3001`, without a path).
    pub upstreams: BTreeMap<String, String>,
    /// Routes beside those of the file.
    pub extra_routes: Vec<ExtraRoute>,
    /// The most connections that one client may have open: an IPv4 address or an IPv6 network of 64 bits. A further one takes
    /// the place of that which has waited for the client the longest, and is refused with 503 if all are being answered. 0 is
    /// unlimited; connections of trusted proxies are not counted.
    pub max_connections_per_address: usize,
    /// The networks of the proxies in front of the gateway, whose `X-Forwarded-*` count (Kong's `trusted_ips`). None by
    /// default.
    pub trusted_proxies: Vec<IpNet>,
    /// Finds services that have no address in `upstreams`.
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

/// A route that the file does not have; the global plugins of the file apply to it.
#[derive(Clone, Debug)]
pub struct ExtraRoute {
    /// First segments of the path, such as `/sandbox`; `/sandboxes` does not match it. Taken off before the
    /// request is passed on.
    pub prefix: String,
    /// Where it leads: a base URL, which may have a path.
    pub url: String,
}

/// Runs the gateway on `listener` until `shutdown` is cancelled, then stops accepting and lets the requests in flight
/// finish, for 10 seconds at most.
///
/// `status` is a second listener for `GET /metrics` and `GET /status`, as Kong has them on `status_listen`.
///
/// # Errors
/// [`std::io::ErrorKind::InvalidInput`] when an address in `options` is not one of the form `http://host:port`.
pub async fn serve(
    config: GatewayConfig,
    options: Options,
    listener: TcpListener,
    status: Option<TcpListener>,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let gateway = Arc::new(proxy::Gateway::build(config, &options)?);
    let per_address = options.max_connections_per_address;
    let proxy = server::run(listener, Arc::clone(&gateway), per_address, shutdown.clone(), DRAIN);
    match status {
        Some(listener) => {
            let pages = Arc::new(status::StatusPages(gateway));
            let pages = server::run(listener, pages, per_address, shutdown, DRAIN);
            tokio::join!(proxy, pages);
        }
        None => proxy.await,
    }
    Ok(())
}
