//! Connections to upstreams. Retries happen only here, where nothing of a request was sent yet.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tower::Service;

use crate::discovery::{Discover, Instance};

mod stream;

pub(crate) use stream::{FromAlternate, Stream};

/// Connector to the host and port of a URI, or to another instance of the service if that one accepts no connection.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    timeout: Duration,
    attempts: u32,
    alternates: Option<AlternateInstances>,
}

/// Other instances of a service.
#[derive(Clone)]
pub(crate) struct AlternateInstances {
    discover: Arc<dyn Discover>,
    host: String,
}

impl AlternateInstances {
    pub(crate) fn new(discover: Arc<dyn Discover>, host: String) -> Self {
        Self { discover, host }
    }

    fn pick(&self) -> Option<Instance> {
        self.discover.pick(&self.host)
    }
}

impl fmt::Debug for AlternateInstances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AlternateInstances({})", self.host)
    }
}

/// Error of a connection attempt.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("upstream name not resolved")]
    Resolve(#[source] io::Error),
    #[error("upstream refused the connection")]
    Refused(#[source] io::Error),
    #[error("connecting to the upstream timed out")]
    TimedOut,
}

impl Connector {
    pub(crate) fn new(timeout: Duration, attempts: u32, alternates: Option<AlternateInstances>) -> Self {
        Self { timeout, attempts, alternates }
    }

    async fn connect(self, uri: Uri) -> Result<Stream, ConnectError> {
        let host = uri.host().unwrap_or_default();
        let mut host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let mut port = uri.port_u16().unwrap_or(80);
        let (first_host, first_port) = (host.clone(), port);
        let mut last = ConnectError::TimedOut;
        for _ in 0..self.attempts {
            match timeout(self.timeout, open(&host, port)).await {
                Ok(Ok(stream)) => return Ok(Stream::new(stream, host != first_host || port != first_port)),
                Ok(Err(error)) => last = error,
                Err(_) => last = ConnectError::TimedOut,
            }
            if let Some(alternates) = &self.alternates {
                alternates.discover.failed(&alternates.host, &host, port);
                if let Some(other) = alternates.pick() {
                    other.authority.host().trim_matches(['[', ']']).clone_into(&mut host);
                    port = other.authority.port_u16().unwrap_or(80);
                }
            }
        }
        Err(last)
    }
}

/// Connects to the first address of the name that accepts a connection.
async fn open(host: &str, port: u16) -> Result<TcpStream, ConnectError> {
    let addresses = lookup_host((host, port)).await.map_err(ConnectError::Resolve)?;
    let mut last = ConnectError::Resolve(io::Error::from(io::ErrorKind::NotFound));
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "setting TCP_NODELAY on an upstream connection failed");
                }
                return Ok(stream);
            }
            Err(error) => last = ConnectError::Refused(error),
        }
    }
    Err(last)
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}
