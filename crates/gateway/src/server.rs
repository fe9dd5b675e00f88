//! HTTP/1.1 listener with a limit of connections per client, time-outs and an orderly shutdown.

mod stream;

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::body::BodyError;
use crate::connections::{Admitted, Connection, Connections};
use crate::headers::ConnectionInfo;
use stream::{ClientStream, HEAD_TIMEOUT, IDLE_TIMEOUT};

/// Maximum number of connections of a listener; further ones wait in the backlog of the operating system.
const MAX_CONNECTIONS: usize = 4096;
/// Pause after `accept` failed: a process that ran out of file descriptors (EMFILE) gets some back when connections end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Handler of the requests of a listener.
pub(crate) trait Handler: Send + Sync + 'static {
    type Body: Body<Data = Bytes, Error: Into<BodyError>> + Send + 'static;

    /// Handles a request. It is infallible, since every failure has a response.
    fn handle(
        &self,
        request: Request<Incoming>,
        info: ConnectionInfo,
        connection: &Arc<Connection>,
    ) -> impl Future<Output = Response<Self::Body>> + Send;

    /// Returns the whole response to a malformed head, for which the HTTP library suggests this status.
    fn malformed_head_response(&self, suggested: StatusCode, head: &[u8]) -> Bytes;

    /// Returns the whole response to a connection that is rejected.
    fn too_many_connections_response(&self) -> Bytes;

    /// Returns whether the address is that of a trusted proxy, which forwards the requests of many clients.
    fn is_trusted_proxy(&self, address: std::net::IpAddr) -> bool;
}

/// Serves until `shutdown`; then requests in flight have `drain_timeout` to finish. `per_address` is the limit of
/// connections of a client; 0 is unlimited.
pub(crate) async fn run<H: Handler>(
    listener: TcpListener,
    handler: Arc<H>,
    per_address: usize,
    shutdown: CancellationToken,
    drain_timeout: Duration,
) {
    let graceful = GracefulShutdown::new();
    let (clients, proxies) = (Arc::new(Connections::new(per_address)), Arc::new(Connections::new(0)));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                Ok((stream, client)) => {
                    let pool = if handler.is_trusted_proxy(client.ip()) { &proxies } else { &clients };
                    match pool.admit(client.ip()) {
                        Some(admitted) => {
                            connections.spawn(serve(stream, client, Arc::clone(&handler), admitted, &graceful));
                        }
                        None => reject(&stream, &handler.too_many_connections_response()),
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "accepting a connection failed, retrying");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    if tokio::time::timeout(drain_timeout, graceful.shutdown()).await.is_err() {
        tracing::warn!(seconds = drain_timeout.as_secs(), "requests cancelled that did not finish in time");
    }
    connections.shutdown().await;
}

/// Writes a response into the empty send buffer of a new connection, without waiting.
fn reject(stream: &TcpStream, response: &[u8]) {
    if let Err(error) = stream.try_write(response) {
        tracing::debug!(%error, "connection closed without a response");
    }
}

fn serve<H: Handler>(
    stream: TcpStream,
    client: SocketAddr,
    handler: Arc<H>,
    admitted: Admitted,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + Send + use<H> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "setting TCP_NODELAY on a client connection failed");
    }
    let port = stream.local_addr().map_or(0, |address| address.port());
    let info = ConnectionInfo { peer: client.ip(), port };
    let responder = Arc::clone(&handler);
    let respond = Arc::new(move |status, head: &[u8]| responder.malformed_head_response(status, head));
    let stream = ClientStream::new(stream, Arc::clone(&admitted.connection), respond);
    let connection = Arc::clone(&admitted.connection);
    let service = service_fn(move |request| {
        let (handler, connection) = (Arc::clone(&handler), Arc::clone(&connection));
        async move { Ok::<_, Infallible>(handler.handle(request, info, &connection).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // With a time-out of its own the library keeps reading after each response, which starts the idle time of the stream.
        .header_read_timeout(IDLE_TIMEOUT + HEAD_TIMEOUT)
        .serve_connection(stream, service);
    let watched = graceful.watch(connection);
    async move {
        let ended = tokio::select! {
            ended = watched => ended,
            () = admitted.connection.replaced() => return,
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "client connection ended early");
        }
    }
}
