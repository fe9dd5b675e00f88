//! The bounds of a listener, tried by clients that do not play by them.
#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect fails")]

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http_server::{Limits, serve_router};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// A time-out that a test waits for.
const SHORT: Duration = Duration::from_millis(200);
/// A time-out that no test reaches.
const LONG: Duration = Duration::from_secs(600);
/// How long a test waits for what has to happen.
const DEADLINE: Duration = Duration::from_secs(30);

async fn server(limits: Limits, router: Router) -> (SocketAddr, oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let stopped = async move {
        let _ = stopped.await;
    };
    (address, stop, tokio::spawn(serve_router(listener, router, limits, stopped)))
}

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    timeout(DEADLINE, stream.read_to_string(&mut text)).await.expect("the connection is closed").unwrap();
    text
}

async fn request(stream: &mut TcpStream, path: &str) {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await.unwrap();
}

async fn response(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    while !text.ends_with("hello") {
        let byte = timeout(DEADLINE, stream.read_u8()).await.expect("an answer").unwrap();
        text.push(char::from(byte));
    }
    text
}

#[tokio::test]
async fn slow_head_is_cut_off_although_the_connection_may_idle() {
    let (address, _stop, _) = server(Limits { head: SHORT, idle: LONG, ..Limits::default() }, hello()).await;
    let mut fresh = TcpStream::connect(address).await.unwrap();
    fresh.write_all(b"GET / HTTP/1.1\r\nHos").await.unwrap();
    assert_eq!(read_to_end(&mut fresh).await, "");
    let mut silent = TcpStream::connect(address).await.unwrap();
    assert_eq!(read_to_end(&mut silent).await, "");

    let mut used = TcpStream::connect(address).await.unwrap();
    request(&mut used, "/").await;
    response(&mut used).await;
    used.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    assert_eq!(read_to_end(&mut used).await, "");
}

#[tokio::test]
async fn idle_connection_is_closed() {
    let (address, _stop, _) = server(Limits { head: LONG, idle: SHORT, ..Limits::default() }, hello()).await;
    let mut used = TcpStream::connect(address).await.unwrap();
    request(&mut used, "/").await;
    assert!(read_to_end(&mut used).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn request_in_progress_is_not_cut_off() {
    let (release, released) = oneshot::channel::<()>();
    let released = std::sync::Arc::new(tokio::sync::Mutex::new(Some(released)));
    let slow = Router::new().route(
        "/",
        get(move || async move {
            if let Some(released) = released.lock().await.take() {
                let _ = released.await;
            }
            "hello"
        }),
    );
    let (address, _stop, _) = server(Limits { head: SHORT, idle: SHORT, ..Limits::default() }, slow).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    request(&mut stream, "/").await;
    // An idle connection that was opened later is closed first: more than the limits has passed.
    let mut idle = TcpStream::connect(address).await.unwrap();
    read_to_end(&mut idle).await;
    release.send(()).unwrap();
    assert!(response(&mut stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn connections_beyond_the_bound_wait() {
    let (address, _stop, _) = server(Limits { connections: 1, ..Limits::default() }, hello()).await;
    let mut first = TcpStream::connect(address).await.unwrap();
    request(&mut first, "/").await;
    response(&mut first).await;
    let mut second = TcpStream::connect(address).await.unwrap();
    request(&mut second, "/").await;
    assert!(timeout(SHORT, second.read_u8()).await.is_err(), "the only place is taken");
    drop(first);
    response(&mut second).await;
}

#[tokio::test]
async fn shutdown_finishes_requests_and_closes_idle_connections() {
    let (address, stop, serving) = server(Limits::default(), hello()).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    request(&mut stream, "/").await;
    response(&mut stream).await;
    stop.send(()).unwrap();
    assert_eq!(read_to_end(&mut stream).await, "");
    timeout(DEADLINE, serving).await.expect("the server ends").unwrap();
}
