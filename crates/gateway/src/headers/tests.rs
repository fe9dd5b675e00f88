use super::*;

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_static(value));
    }
    headers
}

fn ends() -> Ends {
    Ends { client: "192.0.2.7:5000".parse().unwrap(), port: 8000 }
}

#[test]
fn what_belongs_to_one_connection_is_dropped() {
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
fn a_client_cannot_speak_for_the_gateway() {
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
    forward(&mut headers, &ends(), "/api/users", None);
    assert_eq!(headers["x-forwarded-for"], "203.0.113.1, 203.0.113.2, 192.0.2.7");
    assert_eq!(headers["x-forwarded-proto"], "http");
    assert_eq!(headers["x-forwarded-host"], "shop.example");
    assert_eq!(headers["x-forwarded-port"], "8000");
    assert_eq!(headers["x-forwarded-path"], "/api/users");
    assert_eq!(headers["x-real-ip"], "192.0.2.7");
    assert!(!headers.contains_key("x-forwarded-prefix"));
}

#[test]
fn the_prefix_that_was_taken_off_is_told() {
    let mut headers = HeaderMap::new();
    forward(&mut headers, &ends(), "/docs/user/", Some("/docs/user"));
    assert_eq!(headers["x-forwarded-prefix"], "/docs/user");
}

#[test]
fn both_spellings_of_an_address_are_one() {
    let mapped = Ends { client: "[::ffff:192.0.2.7]:5000".parse().unwrap(), port: 8000 };
    assert_eq!(mapped.ip(), ends().ip());
}
