//! Listener with a limit of connections per client and the gateway's own error responses, on `http_server`.

mod stream;

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_server::{Admitted, Limits};
use hyper::body::{Body, Incoming};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::body::BodyError;
use crate::connections::{Connection, Connections};
use crate::headers::ConnectionInfo;
use stream::ClientStream;

/// Handler of the requests of a listener.
pub(crate) trait Handler: Send + Sync + 'static {
    type Body: Body<Data = Bytes, Error: Into<BodyError>> + Unpin + Send + 'static;

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
    fn is_trusted_proxy(&self, address: IpAddr) -> bool;
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
    let (clients, proxies) = (Arc::new(Connections::new(per_address)), Arc::new(Connections::new(0)));
    let admit = move |peer: SocketAddr, stream: TcpStream| {
        let pool = if handler.is_trusted_proxy(peer.ip()) { &proxies } else { &clients };
        let Some(slot) = pool.admit(peer.ip()) else {
            reject(&stream, &handler.too_many_connections_response());
            return None;
        };
        let info = ConnectionInfo { peer: peer.ip(), port: stream.local_addr().map_or(0, |address| address.port()) };
        let connection = Arc::clone(&slot.connection);
        let stream = ClientStream::new(stream, Arc::clone(&connection), Arc::clone(&handler));
        let close = async move { slot.connection.replaced().await };
        let handler = Arc::clone(&handler);
        let handler = move |request| {
            let (handler, connection) = (Arc::clone(&handler), Arc::clone(&connection));
            async move { Ok::<_, Infallible>(handler.handle(request, info, &connection).await) }
        };
        Some(Admitted { stream, handler, close })
    };
    let server = http_server::serve(listener, admit, Limits::default(), shutdown.cancelled());
    let drained = async {
        shutdown.cancelled().await;
        tokio::time::sleep(drain_timeout).await;
    };
    tokio::select! {
        () = server => {}
        () = drained => {
            tracing::warn!(seconds = drain_timeout.as_secs(), "requests cancelled that did not finish in time");
        }
    }
}

/// Writes a response into the empty send buffer of a new connection, without waiting.
fn reject(stream: &TcpStream, response: &[u8]) {
    if let Err(error) = stream.try_write(response) {
        tracing::debug!(%error, "connection closed without a response");
    }
}
