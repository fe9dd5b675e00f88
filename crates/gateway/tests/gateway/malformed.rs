//! Malformed requests: responses and metrics.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{eventually, start_fleet, within};

/// Asserts that the response is the gateway's own, with a request id.
fn expect(response: &str, status: u16, message: &str, request: &str) {
    assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {response}");
    assert!(response.contains("\r\nx-request-id: "), "{request:?}: {response}");
    assert!(response.contains("\r\ncontent-type: application/json; charset=utf-8\r\n"), "{request:?}: {response}");
    assert!(response.ends_with(&format!("{{\"message\":\"{message}\"}}")), "{request:?}: {response}");
}

#[tokio::test]
async fn exactly_one_valid_host_is_required() {
    let gateway = start_fleet(true).await;
    let hosts = [
        "",
        "Host: a\r\nHost: a\r\n",
        "Host: a\r\nHost: b\r\n",
        "Host:\r\n",
        "Host: a b\r\n",
        "Host: a/b\r\n",
        "Host: user@a\r\n",
        "Host: a:port\r\n",
        "Host: a:99999\r\n",
        "Host: sh\u{f6}p\r\n",
    ];
    for host in hosts {
        for path in ["/api/users", "/nowhere", "http://a/api/users"] {
            let request = format!("GET {path} HTTP/1.1\r\n{host}Connection: close\r\n\r\n");
            expect(&gateway.raw(&request).await, 400, "Bad request", &request);
        }
    }
    for valid in ["Host: a", "host: A.example:8000", "Host: [::1]:8000", "Host: 127.0.0.1"] {
        let request = format!("GET /api/users HTTP/1.1\r\n{valid}\r\nConnection: close\r\n\r\n");
        let response = gateway.raw(&request).await;
        assert!(response.starts_with("HTTP/1.1 200 "), "{request:?}: {response}");
    }
}

#[tokio::test]
async fn unknown_transfer_coding_is_501() {
    let gateway = start_fleet(true).await;
    for coding in ["gzip", "gzip, chunked", "identity", "chunked, gzip", "foo", "chunked\r\nTransfer-Encoding: gzip"] {
        for path in ["/api/orders", "/nowhere"] {
            let request = format!(
                "POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: {coding}\r\nConnection: close\r\n\r\n0\r\n\r\n"
            );
            expect(&gateway.raw(&request).await, 501, "Not implemented", &request);
        }
    }
    // Also as the second request of a connection.
    let request = "GET /api/users HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut client = TcpStream::connect(gateway.address).await.unwrap();
    client.write_all(request.as_bytes()).await.unwrap();
    crate::harness::read_until(&mut client, r#""uri":"/api/users"}"#).await;
    client.write_all(b"POST /api/users HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\nx").await.unwrap();
    let mut response = String::new();
    within(client.read_to_string(&mut response)).await.unwrap();
    expect(&response, 501, "Not implemented", "the second request");
}

#[tokio::test]
async fn malformed_head_is_400_in_the_gateways_format() {
    let gateway = start_fleet(true).await;
    let long = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X-Header: 1\r\n".repeat(200));
    let cases = [
        ("nonsense\r\n\r\n", 400, "Bad request"),
        ("GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", 400, "Bad request"),
        ("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n", 400, "Bad request"),
        ("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "Bad request"),
        ("GET /\u{1} HTTP/1.1\r\nHost: x\r\n\r\n", 400, "Bad request"),
        (&long, 431, "Request header or cookie too large"),
    ];
    for (request, status, message) in cases {
        expect(&gateway.raw(request).await, status, message, request);
    }
}

/// Checks that such errors are not attributed to the upstream or the gateway.
#[tokio::test]
async fn disconnect_or_invalid_chunk_in_a_body_is_400() {
    let gateway = start_fleet(true).await;
    let chunked = "POST /api/orders HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    for broken in ["zz\r\nhello\r\n", "5\r\nhelloXX5\r\n", "5\r\nhello\r\nq\r\n", "fffffffffffffffffff\r\n"] {
        let request = format!("{chunked}{broken}");
        expect(&gateway.raw(&request).await, 400, "Bad request", &request);
    }
    let sized = "POST /api/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf";
    for half in [sized.to_owned(), format!("{chunked}5\r\nhel"), format!("{chunked}5\r\nhello\r\n")] {
        let mut client = TcpStream::connect(gateway.address).await.unwrap();
        client.write_all(half.as_bytes()).await.unwrap();
        client.shutdown().await.unwrap();
        let mut response = String::new();
        within(client.read_to_string(&mut response)).await.unwrap();
        assert!(response.is_empty() || response.starts_with("HTTP/1.1 400 "), "{half:?}: {response}");
    }
    eventually(async || {
        let text = reqwest::get(format!("http://{}/metrics", gateway.status)).await.unwrap().text().await.unwrap();
        let count = |line: &str| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap();
        let requests: Vec<_> = text.lines().filter(|line| line.starts_with("kong_http_requests_total")).collect();
        assert!(!requests.iter().any(|line| line.contains("code=\"5")), "{requests:?}");
        let rejected = requests.iter().filter(|line| line.contains("code=\"400\"") && line.contains("source=\"kong\""));
        (rejected.map(|line| count(line)).sum::<u64>() == 7).then_some(())
    })
    .await;
}
