//! The HTTP/1.1 listener of every process of the fleet: bounded connections, and time-outs for the head of a request
//! and for an idle connection.
//!
//! ```no_run
//! # async fn example(listener: tokio::net::TcpListener, stop: impl Future<Output = ()>) {
//! let router = axum::Router::new();
//! http_server::serve_router(listener, router, http_server::Limits::default(), stop).await;
//! # }
//! ```
//!
//! Bodies are the handler's business: how long one may take depends on the endpoint.

mod activity;
mod host;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use activity::{Activity, Tracked};
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
    /// 10 s for a head, 75 s idle (the default of nginx' `keepalive_timeout`), 4,096 connections.
    fn default() -> Self {
        Self { head: Duration::from_secs(10), idle: Duration::from_secs(75), connections: 4096 }
    }
}

/// Serves `router` until `stop` resolves, then waits for the requests in flight. Handlers find the peer's address in
/// `ConnectInfo<SocketAddr>`.
pub async fn serve_router(listener: TcpListener, router: Router, limits: Limits, stop: impl Future<Output = ()>) {
    let handler = move |peer: SocketAddr, _: &TcpStream| {
        let router = router.clone();
        Some(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            router.clone().oneshot(request)
        })
    };
    serve(listener, handler, limits, stop).await;
}

/// Serves until `stop` resolves, then waits for the requests in flight. Dropping the future closes all connections.
///
/// `accept` returns the handler of a new connection, or `None` to close the connection at once.
pub async fn serve<A, H, F, B>(listener: TcpListener, mut accept: A, limits: Limits, stop: impl Future<Output = ()>)
where
    A: FnMut(SocketAddr, &TcpStream) -> Option<H>,
    H: Fn(Request<Incoming>) -> F + Send + 'static,
    F: Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
    B: Body + Send + 'static,
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
                    if let Some(handler) = accept(peer, &stream) {
                        let connection = connection(stream, handler, limits, &graceful);
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

fn connection<H, F, B>(
    stream: TcpStream,
    handler: H,
    limits: Limits,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + Send + use<H, F, B>
where
    H: Fn(Request<Incoming>) -> F + Send + 'static,
    F: Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "setting TCP_NODELAY failed");
    }
    let activity = Arc::new(Activity::new(limits));
    let io = TokioIo::new(Tracked::new(stream, Arc::clone(&activity)));
    let seen = Arc::clone(&activity);
    let service = service_fn(move |request| {
        // Lives as long as the body of the response: until then the connection is neither idle nor in a head.
        let serving = seen.serve();
        let response = handler(request);
        async move {
            response.await.map(|response| {
                response.map(|body| {
                    body.map_frame(move |frame| {
                        let _ = &serving;
                        frame
                    })
                })
            })
        }
    });
    let connection = http1::Builder::new().header_read_timeout(None).serve_connection(io, service);
    let watched = graceful.watch(connection);
    async move {
        tokio::select! {
            served = watched => if let Err(error) = served {
                tracing::debug!(%error, "a connection ended early");
            },
            () = activity.expired() => tracing::debug!("a connection was closed by its time-out"),
        }
    }
}
