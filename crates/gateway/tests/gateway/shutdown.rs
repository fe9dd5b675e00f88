use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{ALL, eventually, read_until, start_one, within};

#[tokio::test]
async fn requests_in_flight_finish_and_new_connections_are_rejected() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut gateway = start_one(listener.local_addr().unwrap(), ALL, "").await;
    let idle = TcpStream::connect(gateway.address).await.unwrap();
    let mut client = TcpStream::connect(gateway.address).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let (mut upstream, _) = within(listener.accept()).await.unwrap();
    read_until(&mut upstream, "\r\n\r\n").await;

    gateway.shutdown.cancel();
    eventually(async || TcpStream::connect(gateway.address).await.err()).await;
    assert!(!gateway.task.is_finished());
    upstream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
    let response = read_until(&mut client, "ok").await;
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    within(&mut gateway.task).await.unwrap().unwrap();
    drop(idle);
}

#[tokio::test(start_paused = true)]
async fn unfinished_request_is_cancelled_after_the_drain_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let service = format!("  read_timeout: 3600000\n{ALL}");
    let mut gateway = start_one(listener.local_addr().unwrap(), &service, "").await;
    let mut client = TcpStream::connect(gateway.address).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let (mut upstream, _) = listener.accept().await.unwrap();
    tokio::io::AsyncReadExt::read_u8(&mut upstream).await.unwrap();
    gateway.shutdown.cancel();
    let ended = tokio::time::timeout(std::time::Duration::from_secs(11), &mut gateway.task).await;
    ended.expect("within ten seconds").unwrap().unwrap();
}
