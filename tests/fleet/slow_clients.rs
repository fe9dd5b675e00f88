//! Slow clients that never complete their requests.

use std::process::Stdio;

use testkit::fleet::{ClientExt as _, DEADLINE, EmbeddedOptions, Fleet, ResponseExt as _, shopfleet_binary, until};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;

/// More requests than a service handles concurrently.
const HALF_SENT: usize = 260;

/// The payment service receives incomplete webhooks while an order is paid, which requires a webhook.
#[tokio::test(flavor = "multi_thread")]
async fn incomplete_webhooks_do_not_block_payments() {
    let fleet = Fleet::launch(EmbeddedOptions::default().with_limits()).await.unwrap();
    let person = fleet.customer().await.unwrap();
    let service = &fleet.run.services["payment-service"];
    let address = service.trim_start_matches("http://");
    let head = format!("POST /api/webhooks/stripe HTTP/1.1\r\nHost: {address}\r\nContent-Length: 100\r\n\r\n{{");
    let mut half_sent = Vec::new();
    for _ in 0..HALF_SENT {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        half_sent.push(stream);
    }
    let order = person.place(&[(1, 1)]).await;
    let payment = person.pay(&order).await;
    let _ = fleet.charge(&payment, "pm_card_visa").await.json(200);
    person.until_order(&order, "confirmed", "completed").await;
    // Each of them is aborted eventually.
    let given_up = r#"http_response_status_code="408""#;
    until("incomplete bodies to be aborted", || async {
        let metrics = reqwest::get(format!("{service}/metrics")).await.ok()?.text().await.ok()?;
        let count = metrics.lines().find(|line| line.contains("duration_seconds_count") && line.contains(given_up))?;
        count.ends_with(&format!(" {HALF_SENT}")).then_some(())
    })
    .await;
    drop(half_sent);
}

/// Every listener closes a connection whose request head never completes.
#[tokio::test(flavor = "multi_thread")]
async fn incomplete_request_head_is_disconnected_by_every_listener() {
    let fleet = Fleet::start().await.unwrap();
    let listeners = fleet.run.services.values().chain([&fleet.run.gateway, &fleet.run.stripe]);
    let cut_off = listeners.map(|url| {
        let url = url.clone();
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
            stream.write_all(b"GET /health HTTP/1.1\r\nHost: loc").await.unwrap();
            let mut response = Vec::new();
            let closed = timeout(DEADLINE, stream.read_to_end(&mut response)).await;
            assert!(closed.is_ok(), "{url} waits for a head without end");
            let response = String::from_utf8_lossy(&response).into_owned();
            assert!(response.is_empty() || response.starts_with("HTTP/1.1 40"), "{url}: {response}");
        })
    });
    let cut_off: Vec<_> = cut_off.collect();
    assert_eq!(cut_off.len(), 6);
    for cut in cut_off {
        cut.await.unwrap();
    }
}

/// A process without free file descriptors accepts again once connections have closed.
#[tokio::test(flavor = "multi_thread")]
async fn listener_recovers_from_file_descriptor_exhaustion() {
    common::client::install_tls();
    let folder = tempfile::tempdir().unwrap();
    let command = format!(
        "ulimit -n 48; exec '{}' stripe-sandbox --port 0 --data-dir data --webhook-url http://127.0.0.1:9",
        shopfleet_binary().unwrap().display()
    );
    let mut sandbox = Command::new("sh")
        .args(["-c", &command])
        .current_dir(&folder)
        .env("STRIPE_SECRET_KEY", "sk_test_descriptors")
        .env("STRIPE_WEBHOOK_SECRET", "whsec_descriptors")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(sandbox.stdout.take().unwrap()).lines();
    let address = loop {
        let line = timeout(DEADLINE, lines.next_line()).await.unwrap().unwrap().expect("the sandbox says where it is");
        if let Some((_, address)) = line.split_once("http://") {
            break address.trim_end_matches(|char: char| !char.is_ascii_digit()).to_owned();
        }
    };
    let mut idle = Vec::new();
    for _ in 0..64 {
        idle.push(TcpStream::connect(&address).await.unwrap());
    }
    drop(idle);
    let url = format!("http://{address}/health");
    until("the sandbox to respond again", || async {
        reqwest::get(&url).await.ok()?.status().is_success().then_some(())
    })
    .await;
    assert!(sandbox.try_wait().unwrap().is_none(), "the sandbox ended");
}
