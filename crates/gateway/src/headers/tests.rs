use super::*;

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_static(value));
    }
    headers
}

fn origin() -> Origin {
    let client = "192.0.2.7".parse().unwrap();
    Origin { connection: ConnectionInfo { peer: client, port: 8000 }, client, via_trusted_proxy: false }
}

#[test]
fn hop_by_hop_headers_are_removed() {
    let mut headers = headers(&[
        ("connection", "close, X-Secret"),
        ("connection", "x-other"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "close"),
        ("te", "trailers"),
        ("trailer", "expires"),
        ("transfer-encoding", "chunked"),
        ("content-length", "5"),
        ("upgrade", "websocket"),
        ("proxy-authorization", "Basic x"),
        ("x-secret", "1"),
        ("x-other", "2"),
        ("x-kept", "3"),
    ]);
    drop_hop_by_hop(&mut headers);
    assert_eq!(headers.len(), 1);
    assert_eq!(headers["x-kept"], "3");
}

#[test]
fn client_cannot_forge_forwarded_headers() {
    let mut headers = headers(&[
        ("host", "Shop.Example:8000"),
        ("x-forwarded-for", "203.0.113.1"),
        ("x-forwarded-for", "203.0.113.2"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "evil"),
        ("x-forwarded-port", "1"),
        ("x-forwarded-path", "/evil"),
        ("x-forwarded-prefix", "/evil"),
        ("x-real-ip", "203.0.113.1"),
    ]);
    set_forwarded(&mut headers, &origin(), "/api/users", None);
    assert_eq!(headers["x-forwarded-for"], "203.0.113.1, 203.0.113.2, 192.0.2.7");
    assert_eq!(headers["x-forwarded-proto"], "http");
    assert_eq!(headers["x-forwarded-host"], "shop.example");
    assert_eq!(headers["x-forwarded-port"], "8000");
    assert_eq!(headers["x-forwarded-path"], "/api/users");
    assert_eq!(headers["x-real-ip"], "192.0.2.7");
    assert!(!headers.contains_key("x-forwarded-prefix"));
}

#[test]
fn stripped_prefix_is_forwarded() {
    let mut headers = HeaderMap::new();
    set_forwarded(&mut headers, &origin(), "/docs/user/", Some("/docs/user"));
    assert_eq!(headers["x-forwarded-prefix"], "/docs/user");
}

#[test]
fn headers_of_a_trusted_proxy_are_retained() {
    let mut headers = headers(&[
        ("host", "shop.example"),
        ("x-forwarded-for", "203.0.113.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "www.shop.example"),
    ]);
    let connection = ConnectionInfo { peer: "::ffff:10.0.0.1".parse().unwrap(), port: 8000 };
    let origin = Origin { connection, client: "203.0.113.1".parse().unwrap(), via_trusted_proxy: true };
    set_forwarded(&mut headers, &origin, "/api/users", None);
    assert_eq!(headers["x-forwarded-for"], "203.0.113.1, 10.0.0.1");
    assert_eq!(headers["x-real-ip"], "203.0.113.1");
    assert_eq!(headers["x-forwarded-proto"], "https");
    assert_eq!(headers["x-forwarded-host"], "www.shop.example");
    assert_eq!(headers["x-forwarded-port"], "8000");
}

#[test]
fn chunked_is_the_only_known_transfer_coding() {
    let cases: [(&[&'static str], bool); 8] = [
        (&[], false),
        (&["chunked"], false),
        (&["Chunked"], false),
        (&["gzip"], true),
        (&["gzip, chunked"], true),
        (&["identity"], true),
        (&["gzip", "chunked"], true),
        (&["chunked", "chunked"], true),
    ];
    for (codings, unknown) in cases {
        let mut map = HeaderMap::new();
        let mut head = "POST / HTTP/1.1\r\nHost: x\r\n".to_owned();
        for coding in codings {
            map.append(TRANSFER_ENCODING, HeaderValue::from_static(coding));
            head.push_str(&format!("transfer-Encoding:{coding}\r\n"));
        }
        head.push_str("\r\nTransfer-Encoding: gzip\r\n");
        assert_eq!(has_unknown_coding(&map), unknown, "{codings:?}");
        assert_eq!(head_has_unknown_coding(head.as_bytes()), unknown, "{codings:?}");
    }
    for head in ["", "\r\n", "GET", "\u{1}\u{2}:\n:\n", "GET / HTTP/1.1\r\nTransfer-Encoding"] {
        assert!(!head_has_unknown_coding(head.as_bytes()), "{head:?}");
    }
}

#[test]
fn head_length_is_the_length_sent() {
    let head = "POST /a?b=c HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n";
    let request = Request::post("/a?b=c").header(HOST, "x").header(CONTENT_LENGTH, "2").body(()).unwrap();
    assert_eq!(request_head_length(&request), length(head.len()));
    let head =
        "HTTP/1.1 404 Not Found\r\nvia: 1.1 x\r\ncontent-length: 10\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n";
    let body = http_body_util::Full::new(bytes::Bytes::from_static(b"0123456789"));
    let response = Response::builder().status(404).header(VIA, "1.1 x").body(body).unwrap();
    assert_eq!(response_head_length(&response), length(head.len()));
}
