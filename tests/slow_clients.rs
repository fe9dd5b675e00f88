//! Clients that hold their requests back.
#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect fails")]

use testkit::fleet::{Fleet, until};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

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
