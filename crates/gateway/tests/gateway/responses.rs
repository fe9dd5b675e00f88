//! Responses of the gateway itself when an upstream fails.

use reqwest::Response;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{ALL, header, json_of, raw_upstream, read_until, start_one, unused_address, within};

const ID: &str = "{name: correlation-id, config: {header_name: X-Request-ID, echo_downstream: true}}";

async fn expect(response: Response, status: u16, message: &str) {
    expect_with(true, response, status, message).await;
}

async fn expect_with(has_id: bool, response: Response, status: u16, message: &str) {
    assert_eq!(response.status(), status);
    assert_eq!(header(&response, "content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(header(&response, "server"), Some("shopfleet-gateway"));
    assert_eq!(header(&response, "x-request-id").is_some(), has_id);
    assert_eq!(json_of(response).await, json!({ "message": message }));
}

#[tokio::test]
async fn unreachable_upstream_is_503() {
    let (address, _held) = unused_address();
    let gateway = start_one(address, ALL, ID).await;
    expect(gateway.get("/").await, 503, "failure to get a peer from the ring-balancer").await;
    let body = gateway.request("POST", "/").body("x".repeat(100_000));
    expect(within(body.send()).await.unwrap(), 503, "failure to get a peer from the ring-balancer").await;
}

#[tokio::test]
async fn unresolvable_upstream_is_503() {
    // The label is too long, so that no name server is involved.
    let host = "x".repeat(64);
    let yaml = format!(
        "_format_version: \"3.0\"\nservices:\n- {{name: s, url: 'http://{host}.invalid:1', routes: [{{name: all, paths: [/]}}]}}\n"
    );
    let gateway = crate::harness::start(&yaml, gateway::Options::default()).await;
    expect_with(false, gateway.get("/").await, 503, "failure to get a peer from the ring-balancer").await;
}

#[tokio::test]
async fn invalid_response_is_502() {
    for response in ["", "garbage\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Len"] {
        let (address, _upstream) = raw_upstream(response).await;
        let gateway = start_one(address, ALL, ID).await;
        expect(gateway.get("/").await, 502, "An invalid response was received from the upstream server").await;
    }
}

#[tokio::test]
async fn response_timeout_is_504() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let service = format!("  read_timeout: 50\n{ALL}");
    let yaml = format!(
        "_format_version: \"3.0\"\nservices:\n- name: s\n  host: 127.0.0.1\n  port: {}\n{service}\nplugins: [{ID}]\n",
        listener.local_addr().unwrap().port()
    );
    let gateway = crate::harness::start(&yaml, gateway::Options::default()).await;
    expect(gateway.get("/").await, 504, "The upstream server is timing out").await;
}

#[tokio::test]
async fn upstream_that_stops_reading_is_504() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let service = format!("  write_timeout: 50\n{ALL}");
    let gateway = start_one(listener.local_addr().unwrap(), &service, ID).await;
    let body = gateway.request("POST", "/").body(vec![b'x'; 64 << 20]);
    expect(within(body.send()).await.unwrap(), 504, "The upstream server is timing out").await;
}

#[tokio::test]
async fn stalled_response_is_cut_off() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let service = format!("  read_timeout: 50\n{ALL}");
    let gateway = start_one(listener.local_addr().unwrap(), &service, "").await;
    let upstream = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_until(&mut stream, "\r\n\r\n").await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").await.unwrap();
        stream
    });
    let response = gateway.get("/").await;
    assert_eq!(response.status(), 200);
    assert!(within(response.bytes()).await.is_err());
    drop(upstream);
}

#[tokio::test]
async fn recovered_upstream_is_reached_again() {
    let (address, socket) = unused_address();
    let gateway = start_one(address, ALL, "").await;
    assert_eq!(gateway.get("/").await.status(), 503);
    let listener = socket.listen(8).unwrap();
    for _ in 0..2 {
        // Each response is followed by the end of the connection, which the pool has to notice.
        let response = gateway.request("GET", "/").send();
        let upstream = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_until(&mut stream, "\r\n\r\n").await;
            stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").await.unwrap();
        };
        let (response, ()) = within(async { tokio::join!(response, upstream) }).await;
        assert_eq!(response.unwrap().status(), 204);
    }
}

#[tokio::test]
async fn upstream_errors_pass_unchanged() {
    let (address, _upstream) = raw_upstream(
        "HTTP/1.1 500 Oops\r\nContent-Type: application/problem+json\r\nContent-Length: 15\r\n\r\n{\"title\":\"Oops\"}",
    )
    .await;
    let gateway = start_one(address, ALL, ID).await;
    let response = gateway.get("/").await;
    assert_eq!(response.status(), 500);
    assert_eq!(header(&response, "content-type"), Some("application/problem+json"));
    assert!(header(&response, "x-request-id").is_some());
}

#[tokio::test]
async fn early_response_reaches_a_client_that_still_sends() {
    let (address, _held) = unused_address();
    let gateway = start_one(address, ALL, "").await;
    let mut client = TcpStream::connect(gateway.address).await.unwrap();
    client.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n").await.unwrap();
    let response = read_until(&mut client, "}").await;
    assert!(response.starts_with("HTTP/1.1 503 "), "{response}");
    // The rest is still read, so that the connection is not reset before the response arrives.
    within(client.write_all(&vec![b'x'; 1_000_000])).await.unwrap();
}
