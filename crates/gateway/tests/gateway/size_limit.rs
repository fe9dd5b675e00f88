use reqwest::Body;
use serde_json::json;

use crate::harness::{Running, echo, header, json_of, serve, start_fleet, start_one, within};

const LIMIT: usize = 256 * 1024;

fn chunked(length: usize) -> Body {
    let pieces = vec![vec![b'x'; 1024]; length / 1024];
    let rest = vec![vec![b'x'; length % 1024]];
    let pieces = pieces.into_iter().chain(rest).filter(|piece| !piece.is_empty());
    Body::wrap_stream(futures::stream::iter(pieces.map(Ok::<_, std::io::Error>)))
}

async fn post(gateway: &Running, body: impl Into<Body>) -> reqwest::Response {
    within(gateway.request("POST", "/api/orders").body(body).send()).await.unwrap()
}

#[tokio::test]
async fn body_of_the_maximum_size_is_accepted() {
    let gateway = start_fleet(true).await;
    for body in [Body::from(vec![b'x'; LIMIT]), chunked(LIMIT)] {
        let response = post(&gateway, body).await;
        assert_eq!(response.status(), 200);
        assert_eq!(json_of(response).await["body"].as_str().unwrap().len(), LIMIT);
    }
}

#[tokio::test]
async fn larger_body_is_413() {
    let gateway = start_fleet(true).await;
    for length in [LIMIT + 1, 4 << 20] {
        for body in [Body::from(vec![b'x'; length]), chunked(length)] {
            let response = post(&gateway, body).await;
            assert_eq!(response.status(), 413);
            assert_eq!(header(&response, "content-type"), Some("application/json; charset=utf-8"));
            assert_eq!(json_of(response).await, json!({ "message": "Request size limit exceeded" }));
        }
    }
}

/// Pictures of 5 MiB, and 64 KiB for the rest of the form.
#[tokio::test]
async fn upload_of_a_picture_has_a_limit_of_its_own() {
    const PICTURE: usize = (5 << 20) + (64 << 10);
    let gateway = start_fleet(false).await;
    let send = async |method: &str, path: &str, body: Body| {
        within(gateway.request(method, path).body(body).send()).await.unwrap()
    };
    for path in ["/api/products/7/images", "/api/products/7/images/"] {
        for body in [Body::from(vec![b'x'; PICTURE]), chunked(PICTURE)] {
            let response = send("POST", path, body).await;
            assert_eq!(response.status(), 200, "{path}");
            assert_eq!(json_of(response).await["body"].as_str().unwrap().len(), PICTURE, "{path}");
        }
        for body in [Body::from(vec![b'x'; PICTURE + 1]), chunked(PICTURE + 1)] {
            assert_eq!(send("POST", path, body).await.status(), 413, "{path}");
        }
    }
    for (method, path) in [
        ("PUT", "/api/products/7/images"),
        ("PUT", "/api/products/7/images/1"),
        ("POST", "/api/products/7/images/1"),
        ("POST", "/api/products/7/images-of"),
        ("POST", "/api/products/x/images"),
        ("POST", "/api/products/7/reviews"),
        ("POST", "/api/products"),
        ("POST", "/api/reviews"),
        ("POST", "/api/carts"),
    ] {
        for body in [Body::from(vec![b'x'; LIMIT + 1]), chunked(LIMIT + 1)] {
            assert_eq!(send(method, path, body).await.status(), 413, "{method} {path}");
        }
    }
    let large = Body::from(vec![b'x'; LIMIT + 1]);
    assert_eq!(send("GET", "/media/0a1b.webp", large).await.status(), 413);
    assert_eq!(send("POST", "/media/0a1b.webp", Body::from("x")).await.status(), 404);
}

#[tokio::test]
async fn expect_continue_of_a_too_large_body_is_413() {
    let gateway = start_fleet(true).await;
    let response = gateway
        .raw("POST /api/orders HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 300000\r\nConnection: close\r\n\r\n")
        .await;
    assert!(response.starts_with("HTTP/1.1 413 "), "{response}");
}

#[tokio::test]
async fn expect_continue_gets_100_continue() {
    let gateway = start_fleet(true).await;
    let head = "POST /api/orders HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n";
    let mut client = tokio::net::TcpStream::connect(gateway.address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut client, head.as_bytes()).await.unwrap();
    assert_eq!(crate::harness::read_until(&mut client, "\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    tokio::io::AsyncWriteExt::write_all(&mut client, b"hi").await.unwrap();
    let response = crate::harness::read_until(&mut client, "}").await;
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
}

#[tokio::test]
async fn content_length_can_be_required() {
    let plugin = "{name: request-size-limiting, config: {allowed_payload_size: 10, size_unit: bytes, require_content_length: true}}";
    let gateway = start_one(serve(echo("s")).await, crate::harness::ALL, plugin).await;
    let response = within(gateway.request("POST", "/").body(chunked(5)).send()).await.unwrap();
    assert_eq!(response.status(), 411);
    let response = within(gateway.request("POST", "/").body("12345").send()).await.unwrap();
    assert_eq!(response.status(), 200);
    let response = within(gateway.request("POST", "/").body("12345678901").send()).await.unwrap();
    assert_eq!(response.status(), 413);
}
