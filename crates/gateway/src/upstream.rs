//! The services behind the gateway: where they are, and the connections to them.

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
use crate::connect::{Connector, Others};
use crate::{Discover, Instance, UnderWay};

/// How long a connection may lie idle: less than servers commonly keep one, so that it is seldom closed in our face.
const IDLE: Duration = Duration::from_secs(20);
const MAX_IDLE: usize = 64;

/// One service: its host as the file names it, and a pool of connections that are kept between requests.
#[derive(Debug)]
pub(crate) struct Upstream {
    host: String,
    port: u16,
    /// Put before the path of each request.
    pub(crate) path: String,
    pub(crate) timeouts: Timeouts,
    pub(crate) client: Client<Connector, RequestBody>,
}

impl Upstream {
    pub(crate) fn new(service: &Service, discover: Option<Arc<dyn Discover>>) -> Self {
        let others = discover.map(|discover| Others::new(discover, service.host.clone()));
        Self {
            host: service.host.clone(),
            port: service.port,
            path: service.path.clone(),
            timeouts: service.timeouts,
            client: client(service.timeouts.connect, service.retries, others),
        }
    }

    /// One that is no service of the file.
    ///
    /// # Errors
    /// When `url` is no base URL.
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

fn client(connect_timeout: Duration, retries: u32, others: Option<Others>) -> Client<Connector, RequestBody> {
    let connector = Connector::new(connect_timeout, retries.saturating_add(1), others);
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(MAX_IDLE)
        .build(connector)
}

/// Where hosts of the file really are. Asked for each request, so that what is found anew takes effect at once.
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

/// Where a request goes.
pub(crate) struct Destination {
    pub(crate) authority: Authority,
    /// Kept until the answer is there, so that the instance counts as busy so long.
    pub(crate) request: Option<Box<dyn UnderWay>>,
}

impl Addresses {
    /// # Errors
    /// When one of the addresses is not of the form `http://host:port`.
    pub(crate) fn new(overrides: &BTreeMap<String, String>, discover: Option<Arc<dyn Discover>>) -> io::Result<Self> {
        let mut fixed = BTreeMap::new();
        for (host, url) in overrides {
            let uri = base_url(url)?;
            match uri.authority() {
                Some(authority) if uri.path() == "/" => {
                    fixed.insert(host.clone(), authority.clone());
                }
                _ => return Err(no_base_url(url)),
            }
        }
        Ok(Self { fixed, discover })
    }

    /// The host and port to connect to, `None` if the file's own are no address.
    pub(crate) fn of(&self, upstream: &Arc<Upstream>) -> Option<Destination> {
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
    let uri: Uri = url.parse().map_err(|_| no_base_url(url))?;
    if uri.scheme_str() == Some("http") && uri.host().is_some() && uri.query().is_none() {
        Ok(uri)
    } else {
        Err(no_base_url(url))
    }
}

fn no_base_url(url: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("`{url}` is not an address such as http://127.0.0.1:3001"))
}
