//! Clients that hold their requests back.

use std::process::Stdio;

use testkit::fleet::{DEADLINE, Fleet, binary, until};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;

/// More than a service handles at once.
const HALF_SENT: usize = 260;

/// The payment service receives heads of webhooks without their bodies, while an order is paid, whose webhook it needs.
#[tokio::test(flavor = "multi_thread")]
async fn half_sent_webhooks_keep_no_order_from_being_paid() {
    let fleet = Fleet::embedded_with_rate_limits().await;
    let person = fleet.customer().await;
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
    let _ = fleet.charge(&payment, "pm_card_visa").await.expect(200);
    person.until_order(&order, "confirmed", "completed").await;
    // Each of them is given up in the end.
    let given_up = r#"http_response_status_code="408""#;
    until("half-sent bodies are given up", || async {
        let metrics = reqwest::get(format!("{service}/metrics")).await.ok()?.text().await.ok()?;
        let count = metrics.lines().find(|line| line.contains("duration_seconds_count") && line.contains(given_up))?;
        count.ends_with(&format!(" {HALF_SENT}")).then_some(())
    })
    .await;
    drop(half_sent);
}

/// Every listener of the fleet closes a connection whose request head does not arrive.
#[tokio::test(flavor = "multi_thread")]
async fn half_sent_head_is_cut_off_by_every_listener() {
    let fleet = Fleet::start().await;
    let listeners = fleet.run.services.values().chain([&fleet.run.gateway, &fleet.run.stripe]);
    let cut_off = listeners.map(|url| {
        let url = url.clone();
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
            stream.write_all(b"GET /health HTTP/1.1\r\nHost: loc").await.unwrap();
            let mut answer = Vec::new();
            let closed = timeout(DEADLINE, stream.read_to_end(&mut answer)).await;
            assert!(closed.is_ok(), "{url} waits for a head without end");
            let answer = String::from_utf8_lossy(&answer).into_owned();
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 40"), "{url}: {answer}");
        })
    });
    let cut_off: Vec<_> = cut_off.collect();
    assert_eq!(cut_off.len(), 6);
    for cut in cut_off {
        cut.await.unwrap();
    }
}

/// A process that ran out of file descriptors serves again once connections have ended.
#[tokio::test(flavor = "multi_thread")]
async fn accept_goes_on_after_file_descriptors_ran_out() {
    common::client::install_tls();
    let folder = tempfile::tempdir().unwrap();
    let command = format!(
        "ulimit -n 48; exec '{}' stripe-sandbox --port 0 --data-dir data --webhook-url http://127.0.0.1:9",
        binary().display()
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
    until("the sandbox answers again", || async { reqwest::get(&url).await.ok()?.status().is_success().then_some(()) })
        .await;
    assert!(sandbox.try_wait().unwrap().is_none(), "the sandbox ended");
}
