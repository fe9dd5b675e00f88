//! Limit of connections per address, and time-outs of heads and idle connections.

use gateway::Options;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{ALL, Running, echo, eventually, read_until, serve, start, start_one, within};

const HALF: &str = "POST /api/webhooks/stripe HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{";
const WHOLE: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

async fn limited(limit: usize) -> Running {
    let address = serve(echo("s")).await;
    let yaml = format!("_format_version: \"3.0\"\nservices:\n- name: s\n  url: http://{address}\n{ALL}\n");
    start(&yaml, Options { max_connections_per_address: limit, ..Options::default() }).await
}

/// Returns whether the gateway closed the connection.
fn is_closed(stream: &mut TcpStream) -> bool {
    let mut byte = [0];
    match stream.try_read(&mut byte) {
        Ok(read) => read == 0,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    }
}

#[tokio::test]
async fn half_sent_bodies_of_one_address_block_no_requests() {
    let gateway = limited(100).await;
    let mut half = Vec::new();
    for _ in 0..260 {
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        stream.write_all(HALF.as_bytes()).await.unwrap();
        half.push(stream);
    }
    for _ in 0..20 {
        assert_eq!(gateway.get("/").await.status(), 200);
    }
    // The limit of an address is left, including the connection of the client above.
    eventually(async || {
        let open = half.iter_mut().map(is_closed).filter(|closed| !closed).count();
        (open <= 100).then_some(())
    })
    .await;
}

#[tokio::test]
async fn idle_connection_is_replaced_by_a_new_one() {
    let gateway = limited(2).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = TcpStream::connect(gateway.address).await.unwrap();
        client.write_all(WHOLE.as_bytes()).await.unwrap();
        read_until(&mut client, "}").await;
        clients.push(client);
    }
    eventually(async || is_closed(&mut clients[0]).then_some(())).await;
    assert!(!is_closed(&mut clients[1]) && !is_closed(&mut clients[2]));
}

#[tokio::test]
async fn connection_beyond_the_limit_of_busy_ones_is_503() {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let yaml = format!(
        "_format_version: \"3.0\"\nservices:\n- name: s\n  url: http://{}\n{ALL}\nplugins: [{{name: correlation-id, config: {{header_name: X-Request-ID, echo_downstream: true}}}}]\n",
        upstream.local_addr().unwrap()
    );
    let gateway = start(&yaml, Options { max_connections_per_address: 2, ..Options::default() }).await;
    let mut busy = Vec::new();
    for _ in 0..2 {
        let mut client = TcpStream::connect(gateway.address).await.unwrap();
        client.write_all(WHOLE.as_bytes()).await.unwrap();
        let (mut forwarded, _) = within(upstream.accept()).await.unwrap();
        read_until(&mut forwarded, "\r\n\r\n").await;
        busy.push((client, forwarded));
    }
    let mut further = TcpStream::connect(gateway.address).await.unwrap();
    let mut response = String::new();
    within(further.read_to_string(&mut response)).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{response}");
    assert!(response.contains("\r\nx-request-id: "), "{response}");
    assert!(response.ends_with(r#"{"message":"Too many connections"}"#), "{response}");
    // The busy ones are still served.
    let (mut client, mut forwarded) = busy.remove(0);
    forwarded.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
    assert!(read_until(&mut client, "ok").await.starts_with("HTTP/1.1 200 OK\r\n"));
}

#[tokio::test]
async fn trusted_proxies_are_not_counted_and_0_is_unlimited() {
    let address = serve(echo("s")).await;
    let yaml = format!("_format_version: \"3.0\"\nservices:\n- name: s\n  url: http://{address}\n{ALL}\n");
    let trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let by_proxy = Options { max_connections_per_address: 1, trusted_proxies, ..Options::default() };
    let unlimited = Options { max_connections_per_address: 0, ..Options::default() };
    for options in [by_proxy, unlimited] {
        let gateway = start(&yaml, options).await;
        let mut clients = Vec::new();
        for _ in 0..150 {
            let mut client = TcpStream::connect(gateway.address).await.unwrap();
            client.write_all(HALF.as_bytes()).await.unwrap();
            clients.push(client);
        }
        assert_eq!(gateway.get("/").await.status(), 200);
        assert!(!clients.iter_mut().any(is_closed));
    }
}

/// Time-outs of both listeners: ten seconds for a head, 75 for an idle connection.
#[tokio::test(start_paused = true)]
async fn incomplete_head_and_idle_connection_time_out() {
    let gateway = start_one(serve(echo("s")).await, ALL, "").await;
    for address in [gateway.address, gateway.status] {
        for head in ["", "GET /status HTTP/1.1\r\nHost: x\r\nX-Slow: "] {
            let mut client = TcpStream::connect(address).await.unwrap();
            client.write_all(head.as_bytes()).await.unwrap();
            let started_at = tokio::time::Instant::now();
            let mut rest = Vec::new();
            let ended = tokio::time::timeout(std::time::Duration::from_secs(60), client.read_to_end(&mut rest)).await;
            assert!(ended.is_ok() && rest.is_empty(), "{head:?}");
            assert!(started_at.elapsed().as_secs() <= 11, "{head:?}");
        }
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        read_until(&mut client, "}").await;
        let started_at = tokio::time::Instant::now();
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(std::time::Duration::from_secs(100), client.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "idle connection not closed");
        assert!((70..=76).contains(&started_at.elapsed().as_secs()), "{:?}", started_at.elapsed());
    }
}
