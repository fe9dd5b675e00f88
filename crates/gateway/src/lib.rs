#![doc = include_str!("../README.md")]

mod access_log;
mod address;
mod body;
mod config;
mod connect;
mod connections;
mod discovery;
mod error_response;
mod headers;
mod metrics;
mod options;
mod path;
mod plugins;
mod proxy;
mod response_source;
mod router;
mod schema;
mod server;
mod status;
mod upstream;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use config::{ConfigError, GatewayConfig};
pub use discovery::{Discover, InFlightRequest, Instance};
pub use options::{ExtraRoute, MAX_CONNECTIONS_PER_ADDRESS, Options};

/// Gateway file of this repository, `kong/kong.yml`.
pub const KONG_YML: &str = include_str!("../../../kong/kong.yml");

/// Time that requests in flight have to finish after shutdown was requested.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs the gateway on `listener` until `shutdown` is cancelled, then stops accepting and lets the requests in flight
/// finish, for 10 seconds at most.
///
/// `status` is a second listener for `GET /metrics` and `GET /status`, as Kong has them on `status_listen`.
///
/// # Errors
/// [`std::io::ErrorKind::InvalidInput`] when an address in `options` is not of the form `http://host:port`.
pub async fn serve(
    config: GatewayConfig,
    options: Options,
    listener: TcpListener,
    status: Option<TcpListener>,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let gateway = Arc::new(proxy::Gateway::build(config, &options)?);
    let per_address = options.max_connections_per_address;
    let proxy = server::run(listener, Arc::clone(&gateway), per_address, shutdown.clone(), DRAIN_TIMEOUT);
    match status {
        Some(listener) => {
            let pages = Arc::new(status::StatusPages(gateway));
            let pages = server::run(listener, pages, per_address, shutdown, DRAIN_TIMEOUT);
            tokio::join!(proxy, pages);
        }
        None => proxy.await,
    }
    Ok(())
}
