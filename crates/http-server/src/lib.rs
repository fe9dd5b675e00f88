#![doc = include_str!("../README.md")]

mod activity;
mod host;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use http::{Request, Response};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use activity::{Activity, Serving, Tracked};
pub use host::has_valid_host;

/// Pause after `accept` failed: a process that ran out of file descriptors (EMFILE) gets some back when connections end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Bounds of a listener.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Time from the first byte of a request, or from the beginning of a connection, to the end of a head.
    pub head: Duration,
    /// Time that a connection may stay open between two requests.
    pub idle: Duration,
    /// Connections open at a time; further ones wait in the backlog of the operating system.
    pub connections: usize,
}

impl Default for Limits {
    /// Returns 10 s for a head, 75 s idle (nginx' default `keepalive_timeout`), and 4,096 connections.
    fn default() -> Self {
        Self { head: Duration::from_secs(10), idle: Duration::from_secs(75), connections: 4096 }
    }
}

/// Connection that a listener serves.
pub struct Admitted<S, H, C> {
    /// Stream of the connection, possibly wrapped.
    pub stream: S,
    /// Handler of its requests.
    pub handler: H,
    /// Future that closes the connection when it completes, and that is dropped with the connection.
    pub close: C,
}

/// Serves `router` until `stop` resolves, then waits for the requests in flight. Handlers find the peer's address in
/// `ConnectInfo<SocketAddr>`.
pub async fn serve_router(listener: TcpListener, router: Router, limits: Limits, stop: impl Future<Output = ()>) {
    let admit = move |peer: SocketAddr, stream: TcpStream| {
        let router = router.clone();
        let handler = move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            router.clone().oneshot(request)
        };
        Some(Admitted { stream, handler, close: std::future::pending() })
    };
    serve(listener, admit, limits, stop).await;
}

/// Serves until `stop` resolves, then waits for the requests in flight. Dropping the future closes all connections.
///
/// `admit` returns the stream and handler of a new connection, or `None` to close the connection at once.
pub async fn serve<A, S, H, C, F, B>(
    listener: TcpListener,
    mut admit: A,
    limits: Limits,
    stop: impl Future<Output = ()>,
) where
    A: FnMut(SocketAddr, TcpStream) -> Option<Admitted<S, H, C>>,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Fn(Request<Incoming>) -> F + Send + 'static,
    C: Future<Output = ()> + Send + 'static,
    F: Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
    B: Body + Unpin + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    let mut failing = false;
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = async {
            // The semaphore is never closed.
            let place = Arc::clone(&places).acquire_owned().await.ok();
            (listener.accept().await, place)
        };
        tokio::select! {
            () = &mut stop => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            (accepted, place) = accepted => match accepted {
                Ok((stream, peer)) => {
                    failing = false;
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "setting TCP_NODELAY failed");
                    }
                    if let Some(admitted) = admit(peer, stream) {
                        let connection = connection(admitted, limits, &graceful);
                        connections.spawn(async move {
                            connection.await;
                            drop(place);
                        });
                    }
                }
                Err(error) if is_of_the_peer(&error) => {}
                Err(error) => {
                    if !failing {
                        tracing::error!(%error, "accepting connections failed, retrying");
                    }
                    failing = true;
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    graceful.shutdown().await;
    connections.shutdown().await;
}

/// Returns whether the peer closed the connection before it was accepted.
fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

fn connection<S, H, C, F, B>(
    admitted: Admitted<S, H, C>,
    limits: Limits,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + Send + use<S, H, C, F, B>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Fn(Request<Incoming>) -> F + Send + 'static,
    C: Future<Output = ()> + Send + 'static,
    F: Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
    B: Body + Unpin + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let Admitted { stream, handler, close } = admitted;
    let activity = Arc::new(Activity::new(limits));
    let io = TokioIo::new(Tracked::new(stream, Arc::clone(&activity)));
    let requests = Arc::clone(&activity);
    let service = service_fn(move |request| {
        let serving = requests.serve();
        let response = handler(request);
        async move { response.await.map(|response| response.map(|body| ServedBody { body, _serving: serving })) }
    });
    let connection = http1::Builder::new().header_read_timeout(None).serve_connection(io, service);
    let watched = graceful.watch(connection);
    async move {
        tokio::select! {
            served = watched => if let Err(error) = served {
                tracing::debug!(%error, "connection ended early");
            },
            () = close => {}
            () = activity.expired() => tracing::debug!("connection timed out"),
        }
    }
}

/// Body of a response. Until it is dropped the connection is neither idle nor in a head.
struct ServedBody<B> {
    body: B,
    _serving: Serving,
}

impl<B: Body + Unpin> Body for ServedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
