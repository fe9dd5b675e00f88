use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use futures::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::harness::{ALL, read_until, serve, start_one, within};

#[tokio::test]
async fn request_body_is_streamed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = start_one(listener.local_addr().unwrap(), ALL, "").await;
    let mut client = TcpStream::connect(gateway.address).await.unwrap();
    let head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n";
    client.write_all(head.as_bytes()).await.unwrap();

    let (mut upstream, _) = within(listener.accept()).await.unwrap();
    read_until(&mut upstream, "\r\n\r\n5\r\nfirst\r\n").await;
    client.write_all(b"6\r\nsecond\r\n0\r\n\r\n").await.unwrap();
    read_until(&mut upstream, "6\r\nsecond\r\n0\r\n\r\n").await;
    upstream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
    let response = read_until(&mut client, "ok").await;
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
}

#[tokio::test]
async fn response_body_is_streamed() {
    let seen = Arc::new(Notify::new());
    let wait = Arc::clone(&seen);
    let router = Router::new().fallback(move || {
        let wait = Arc::clone(&wait);
        async move {
            let first = futures::stream::once(async { Ok::<_, std::io::Error>("first") });
            let second = futures::stream::once(async move {
                wait.notified().await;
                Ok("second")
            });
            Body::from_stream(first.chain(second))
        }
    });
    let gateway = start_one(serve(router).await, ALL, "").await;
    let mut response = gateway.get("/").await;
    assert_eq!(within(response.chunk()).await.unwrap().unwrap(), "first");
    seen.notify_one();
    assert_eq!(within(response.chunk()).await.unwrap().unwrap(), "second");
    assert_eq!(within(response.chunk()).await.unwrap(), None);
}

/// Starts a server that responds with 200 to each request and counts connections.
async fn counting_upstream() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut read = Vec::new();
                while let Ok(byte) = stream.read_u8().await {
                    read.push(byte);
                    if read.ends_with(b"\r\n\r\n") {
                        read.clear();
                        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
                    }
                }
            });
        }
    });
    (address, connections)
}

#[tokio::test]
async fn upstream_connections_are_reused() {
    let (address, connections) = counting_upstream().await;
    let gateway = start_one(address, ALL, "").await;
    for _ in 0..5 {
        // Each request has a client connection of its own.
        let response = gateway.raw("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
        assert!(response.ends_with("ok"), "{response}");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn client_connections_are_reused() {
    let (address, _) = counting_upstream().await;
    let gateway = start_one(address, ALL, "").await;
    let mut client = TcpStream::connect(gateway.address).await.unwrap();
    for path in ["/a", "/b"] {
        client.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
        read_until(&mut client, "ok").await;
    }
}

#[tokio::test]
async fn response_to_head_keeps_its_content_length() {
    let router = Router::new().fallback(|| async { "12345" });
    let gateway = start_one(serve(router).await, ALL, "").await;
    let response = gateway.raw("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(response.contains("\r\ncontent-length: 5\r\n"), "{response}");
    assert!(response.ends_with("\r\n\r\n"), "{response}");
}

#[tokio::test]
async fn http_1_0_client_is_served() {
    let router = Router::new().fallback(|| async { "12345" });
    let gateway = start_one(serve(router).await, ALL, "").await;
    let response = gateway.raw("GET / HTTP/1.0\r\n\r\n").await;
    assert!(response.starts_with("HTTP/1.0 200 OK\r\n"), "{response}");
    assert!(response.ends_with("12345"), "{response}");
}
