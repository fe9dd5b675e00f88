use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

use crate::harness::{ALL, eventually, nobody, read_until, start_fleet, start_one, within};

/// Collects what this thread logs; each test has a runtime of one thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn collect() -> (Self, DefaultGuard) {
        let log = Self::default();
        let subscriber =
            tracing_subscriber::fmt().json().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn requests(&self) -> Vec<Value> {
        let text = self.text();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["target"] == "gateway::access").collect()
    }

    async fn wait_for(&self, requests: usize) -> Vec<Value> {
        eventually(async || Some(self.requests()).filter(|found| found.len() >= requests)).await
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn one_line_a_request_without_secrets() {
    let (log, _guard) = Log::collect();
    let gateway = start_fleet(true).await;
    let request = gateway
        .request("POST", "/api/users/1234?token=query-secret")
        .header("authorization", "Bearer header-secret")
        .header("x-request-id", "the-id")
        .body("body-secret");
    within(request.send()).await.unwrap().bytes().await.unwrap();
    gateway.get("/nowhere").await.bytes().await.unwrap();
    let lines = log.wait_for(2).await;
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
async fn a_request_that_fails_has_its_line_too() {
    let (log, _guard) = Log::collect();
    let gateway = start_one(nobody().await, ALL, "").await;
    gateway.get("/").await;
    let lines = log.wait_for(1).await;
    assert_eq!(lines[0]["fields"]["http.response.status_code"], 503);
    assert_eq!(lines[0]["fields"]["http.response.source"], "error");
}

#[tokio::test]
async fn a_client_that_leaves_is_499() {
    let (log, _guard) = Log::collect();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = start_one(listener.local_addr().unwrap(), ALL, "").await;
    let mut client = TcpStream::connect(gateway.address).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let (mut upstream, _) = within(listener.accept()).await.unwrap();
    read_until(&mut upstream, "\r\n\r\n").await;
    drop(client);
    let lines = log.wait_for(1).await;
    assert_eq!(lines[0]["fields"]["http.response.status_code"], 499);
    assert_eq!(lines[0]["fields"]["http.response.complete"], false);
    // The upstream is let go as well.
    let mut rest = Vec::new();
    let ended = within(tokio::io::AsyncReadExt::read_to_end(&mut upstream, &mut rest)).await;
    assert!(ended.is_err() || rest.is_empty());
}
