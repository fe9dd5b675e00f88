//! Takes connections, bounds them, and ends them in order.

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
use crate::headers::Ends;
use stream::{ClientStream, HEAD_TIMEOUT, IDLE_TIMEOUT};

/// The most connections of a listener; further ones wait in the system's queue.
const MAX_CONNECTIONS: usize = 4096;
/// A pause after a connection could not be taken: open files may have run out for a moment.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Answers the requests of a listener.
pub(crate) trait Handler: Send + Sync + 'static {
    type Body: Body<Data = Bytes, Error: Into<BodyError>> + Send + 'static;

    /// Answers a request; it never fails, since every failure has an answer.
    fn handle(
        &self,
        request: Request<Incoming>,
        ends: Ends,
        connection: &Arc<Connection>,
    ) -> impl Future<Output = Response<Self::Body>> + Send;

    /// The whole answer to what is not a request; the HTTP library suggests this status.
    fn refuse_head(&self, suggested: StatusCode, head: &[u8]) -> Bytes;

    /// The whole answer to a connection that is not taken.
    fn refuse_connection(&self) -> Bytes;

    /// Whether the address is one of a proxy, which brings the requests of many clients.
    fn is_proxy(&self, address: std::net::IpAddr) -> bool;
}

/// Serves until `shutdown`; then requests in flight have `drain` to finish. A client may have `per_address` connections;
/// 0 is unlimited.
pub(crate) async fn run<H: Handler>(
    listener: TcpListener,
    handler: Arc<H>,
    per_address: usize,
    shutdown: CancellationToken,
    drain: Duration,
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
                    let place = if handler.is_proxy(client.ip()) { &proxies } else { &clients };
                    match place.admit(client.ip()) {
                        Some(admitted) => {
                            connections.spawn(serve(stream, client, Arc::clone(&handler), admitted, &graceful));
                        }
                        None => turn_away(&stream, &handler.refuse_connection()),
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "The gateway cannot take a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
        tracing::warn!(seconds = drain.as_secs(), "The gateway cuts off requests that did not finish in time");
    }
    connections.shutdown().await;
}

/// Says why, as far as the empty buffer of a new connection takes it, and closes.
fn turn_away(stream: &TcpStream, answer: &[u8]) {
    if let Err(error) = stream.try_write(answer) {
        tracing::debug!(%error, "A connection was closed without an answer");
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
        tracing::debug!(%error, "A client's connection keeps its delay");
    }
    let port = stream.local_addr().map_or(0, |address| address.port());
    let ends = Ends { peer: client.ip(), port };
    let refusing = Arc::clone(&handler);
    let refuse = Arc::new(move |status, head: &[u8]| refusing.refuse_head(status, head));
    let stream = ClientStream::new(stream, Arc::clone(&admitted.connection), refuse);
    let connection = Arc::clone(&admitted.connection);
    let service = service_fn(move |request| {
        let (handler, connection) = (Arc::clone(&handler), Arc::clone(&connection));
        async move { Ok::<_, Infallible>(handler.handle(request, ends, &connection).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // With a limit of its own the library reads on after each answer, by which the stream begins to count idle time.
        .header_read_timeout(IDLE_TIMEOUT + HEAD_TIMEOUT)
        .serve_connection(stream, service);
    let watched = graceful.watch(connection);
    async move {
        let ended = tokio::select! {
            ended = watched => ended,
            () = admitted.connection.replaced() => return,
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "A client's connection ended early");
        }
    }
}
