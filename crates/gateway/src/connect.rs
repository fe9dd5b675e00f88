//! Opens connections to upstreams. Retries happen here and nowhere else: nothing of a request was sent yet.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tower::Service;

/// Connects to the host and port of a URI.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    timeout: Duration,
    attempts: u32,
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
    pub(crate) fn new(timeout: Duration, attempts: u32) -> Self {
        Self { timeout, attempts }
    }

    async fn connect(self, uri: Uri) -> Result<TokioIo<TcpStream>, ConnectError> {
        let host = uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(80);
        let mut last = ConnectError::TimedOut;
        for _ in 0..self.attempts {
            match timeout(self.timeout, open(&host, port)).await {
                Ok(Ok(stream)) => return Ok(TokioIo::new(stream)),
                Ok(Err(error)) => last = error,
                Err(_) => last = ConnectError::TimedOut,
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
    type Response = TokioIo<TcpStream>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}
