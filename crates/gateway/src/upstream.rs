//! Services behind the gateway: their addresses and connection pools.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use http::uri::Authority;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::body::RequestBody;
use crate::config::{Service, Timeouts};
use crate::connect::{AlternateInstances, Connector};
use crate::discovery::{Discover, InFlightRequest, Instance};

/// Time that a connection may stay idle: less than most servers allow, so that the server seldom closes it during a request.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
const MAX_IDLE: usize = 64;

/// Service with its host as in the file, and its connection pool.
#[derive(Debug)]
pub(crate) struct Upstream {
    host: String,
    port: u16,
    /// Prefix of the path of each request.
    pub(crate) path: String,
    pub(crate) timeouts: Timeouts,
    pub(crate) client: Client<Connector, RequestBody>,
}

impl Upstream {
    pub(crate) fn new(service: &Service, discover: Option<Arc<dyn Discover>>) -> Self {
        let alternates = discover.map(|discover| AlternateInstances::new(discover, service.host.clone()));
        Self {
            host: service.host.clone(),
            port: service.port,
            path: service.path.clone(),
            timeouts: service.timeouts,
            client: client(service.timeouts.connect, service.retries, alternates),
        }
    }

    /// Creates the upstream of an extra route.
    ///
    /// # Errors
    /// When `url` is not a valid base URL.
    pub(crate) fn extra(url: &str) -> io::Result<Self> {
        let uri = base_url(url)?;
        let timeouts = Timeouts::default();
        Ok(Self {
            host: uri.host().unwrap_or_default().to_owned(),
            port: uri.port_u16().unwrap_or(80),
            path: uri.path().to_owned(),
            timeouts,
            client: client(timeouts.connect, 0, None),
        })
    }
}

fn client(
    connect_timeout: Duration,
    retries: u32,
    alternates: Option<AlternateInstances>,
) -> Client<Connector, RequestBody> {
    let connector = Connector::new(connect_timeout, retries.saturating_add(1), alternates);
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(MAX_IDLE)
        .build(connector)
}

/// Addresses of the hosts in the file, resolved for each request, so that newly discovered instances are used at once.
#[derive(Default)]
pub(crate) struct Addresses {
    fixed: BTreeMap<String, Authority>,
    discover: Option<Arc<dyn Discover>>,
}

impl fmt::Debug for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Addresses").field("fixed", &self.fixed).finish_non_exhaustive()
    }
}

/// Destination of a request.
pub(crate) struct Destination {
    pub(crate) authority: Authority,
    /// Handle held until the response arrives, so that the instance counts the request as in flight.
    pub(crate) request: Option<Box<dyn InFlightRequest>>,
}

impl Addresses {
    /// Parses the fixed addresses.
    ///
    /// # Errors
    /// When one of them is not of the form `http://host:port`.
    pub(crate) fn new(overrides: &BTreeMap<String, String>, discover: Option<Arc<dyn Discover>>) -> io::Result<Self> {
        let mut fixed = BTreeMap::new();
        for (host, url) in overrides {
            let uri = base_url(url)?;
            match uri.authority() {
                Some(authority) if uri.path() == "/" => {
                    fixed.insert(host.clone(), authority.clone());
                }
                _ => return Err(invalid_base_url(url)),
            }
        }
        Ok(Self { fixed, discover })
    }

    /// Returns the host and port to connect to, `None` if those of the file are not a valid address.
    pub(crate) fn resolve(&self, upstream: &Arc<Upstream>) -> Option<Destination> {
        if let Some(authority) = self.fixed.get(&upstream.host) {
            return Some(Destination { authority: authority.clone(), request: None });
        }
        let found = self.discover.as_ref().and_then(|discover| discover.pick(&upstream.host));
        if let Some(Instance { authority, request }) = found {
            return Some(Destination { authority, request: Some(request) });
        }
        let Upstream { host, port, .. } = upstream.as_ref();
        let authority = match port {
            80 => host.parse().ok(),
            port => format!("{host}:{port}").parse().ok(),
        };
        Some(Destination { authority: authority?, request: None })
    }
}

fn base_url(url: &str) -> io::Result<Uri> {
    let uri: Uri = url.parse().map_err(|_| invalid_base_url(url))?;
    if uri.scheme_str() == Some("http") && uri.host().is_some() && uri.query().is_none() {
        Ok(uri)
    } else {
        Err(invalid_base_url(url))
    }
}

fn invalid_base_url(url: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("`{url}` is not an address such as http://127.0.0.1:3001"))
}
