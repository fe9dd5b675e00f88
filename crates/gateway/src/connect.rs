//! Opens connections to upstreams. Retries happen here and nowhere else: nothing of a request was sent yet.

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

use crate::{Discover, Instance};

mod stream;

pub(crate) use stream::{Elsewhere, Stream};

/// Connects to the host and port of a URI, or to another instance of the same service if that one takes no connection.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    timeout: Duration,
    attempts: u32,
    others: Option<Others>,
}

/// The other instances of a service.
#[derive(Clone)]
pub(crate) struct Others {
    discover: Arc<dyn Discover>,
    host: String,
}

impl Others {
    pub(crate) fn new(discover: Arc<dyn Discover>, host: String) -> Self {
        Self { discover, host }
    }

    fn pick(&self) -> Option<Instance> {
        self.discover.pick(&self.host)
    }
}

impl fmt::Debug for Others {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Others({})", self.host)
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("the name of the upstream cannot be resolved")]
    Resolve(#[source] io::Error),
    #[error("the upstream refuses connections")]
    Refused(#[source] io::Error),
    #[error("the upstream does not take connections in time")]
    TimedOut,
}

impl Connector {
    pub(crate) fn new(timeout: Duration, attempts: u32, others: Option<Others>) -> Self {
        Self { timeout, attempts, others }
    }

    async fn connect(self, uri: Uri) -> Result<Stream, ConnectError> {
        let host = uri.host().unwrap_or_default();
        let mut host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let mut port = uri.port_u16().unwrap_or(80);
        let (asked_host, asked_port) = (host.clone(), port);
        let mut last = ConnectError::TimedOut;
        for _ in 0..self.attempts {
            match timeout(self.timeout, open(&host, port)).await {
                Ok(Ok(stream)) => return Ok(Stream::new(stream, host != asked_host || port != asked_port)),
                Ok(Err(error)) => last = error,
                Err(_) => last = ConnectError::TimedOut,
            }
            if let Some(others) = &self.others {
                others.discover.failed(&others.host, &host, port);
                if let Some(other) = others.pick() {
                    other.authority.host().trim_matches(['[', ']']).clone_into(&mut host);
                    port = other.authority.port_u16().unwrap_or(80);
                }
            }
        }
        Err(last)
    }
}

/// Tries each address of the name in turn.
async fn open(host: &str, port: u16) -> Result<TcpStream, ConnectError> {
    let addresses = lookup_host((host, port)).await.map_err(ConnectError::Resolve)?;
    let mut last = ConnectError::Resolve(io::Error::from(io::ErrorKind::NotFound));
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "An upstream connection keeps its delay");
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
