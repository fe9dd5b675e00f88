use std::cell::RefCell;
use std::io::Write;
use std::sync::Once;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{ALL, eventually, read_until, start_fleet, start_one, unused_address, within};

thread_local! {
    /// Log of this test's gateway: a test has one thread, and its runtime has no other.
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Captures logs by thread. One subscriber for the process is set before anything is logged: a subscriber per thread may
/// miss events that other threads log for the first time at the same moment.
pub(crate) fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing_subscriber::fmt().json().with_writer(|| Writer).init());
    LOG.with_borrow_mut(Vec::clear);
}

struct Writer;

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.with_borrow_mut(|log| log.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Waits until this number of requests was logged, and returns all entries.
async fn entries(requests: usize) -> Vec<Value> {
    eventually(async || {
        let text = LOG.with_borrow(|log| String::from_utf8(log.clone()).unwrap());
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let found: Vec<Value> = lines.filter(|line| line["target"] == "gateway::access").collect();
        (found.len() >= requests).then_some(found)
    })
    .await
}

#[tokio::test]
async fn each_request_has_one_line_without_secrets() {
    let gateway = start_fleet(true).await;
    let request = gateway
        .request("POST", "/api/users/1234?token=query-secret")
        .header("authorization", "Bearer header-secret")
        .header("x-request-id", "the-id")
        .body("body-secret");
    within(request.send()).await.unwrap().bytes().await.unwrap();
    gateway.get("/nowhere").await.bytes().await.unwrap();
    let lines = entries(2).await;
    assert_eq!(lines.len(), 2);
    let fields = &lines[0]["fields"];
    assert_eq!(lines[0]["level"], "INFO");
    assert_eq!(fields["http.request.method"], "POST");
    assert_eq!(fields["http.route"], "user-routes");
    assert_eq!(fields["http.response.status_code"], 200);
    assert_eq!(fields["http.request.id"], "the-id");
    assert_eq!(fields["http.response.complete"], true);
    assert!(fields["duration_ms"].is_u64());
    let message = fields["message"].as_str().unwrap();
    assert!(message.starts_with("POST on route user-routes got 200 in "), "{message}");
    let fields = &lines[1]["fields"];
    assert_eq!(fields["http.route"], "-");
    assert_eq!(fields["http.response.status_code"], 404);
    let access = lines.iter().map(ToString::to_string).collect::<String>();
    assert!(!access.contains("secret") && !access.contains("1234"), "{access}");
}

#[tokio::test]
async fn failed_request_is_logged() {
    let (address, _held) = unused_address();
    let gateway = start_one(address, ALL, "").await;
    gateway.get("/").await;
    let lines = entries(1).await;
    assert_eq!(lines[0]["fields"]["http.response.status_code"], 503);
    assert_eq!(lines[0]["fields"]["http.response.source"], "error");
}

#[tokio::test]
async fn disconnected_client_is_499() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = start_one(listener.local_addr().unwrap(), ALL, "").await;
    let mut client = TcpStream::connect(gateway.address).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let (mut upstream, _) = within(listener.accept()).await.unwrap();
    read_until(&mut upstream, "\r\n\r\n").await;
    drop(client);
    let lines = entries(1).await;
    assert_eq!(lines[0]["fields"]["http.response.status_code"], 499);
    assert_eq!(lines[0]["fields"]["http.response.complete"], false);
    // The upstream connection is closed as well.
    let mut rest = Vec::new();
    let ended = within(tokio::io::AsyncReadExt::read_to_end(&mut upstream, &mut rest)).await;
    assert!(ended.is_err() || rest.is_empty());
}
