use serde_json::json;

use crate::harness::{ALL, echo, header, json_of, raw_upstream, serve, start_fleet, start_one, within};

#[tokio::test]
async fn hop_by_hop_headers_do_not_reach_the_upstream() {
    let (address, upstream) = raw_upstream("HTTP/1.1 204 No Content\r\n\r\n").await;
    let gateway = start_one(address, ALL, "").await;
    gateway
        .raw(
            "POST /x HTTP/1.1\r\nHost: x\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nX-Yours: 2\r\nKeep-Alive: 5\r\n\
             Proxy-Connection: close\r\nTE: trailers\r\nTrailer: X-T\r\nUpgrade: h2c\r\nProxy-Authorization: Basic x\r\n\
             Expect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
        )
        .await;
    let head = within(upstream).await.unwrap().to_ascii_lowercase();
    for name in [
        "connection",
        "x-mine",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "upgrade",
        "proxy-authorization",
        "expect",
    ] {
        assert!(!head.contains(&format!("\r\n{name}:")), "{name}: {head}");
    }
    assert!(head.contains("\r\nx-yours: 2\r\n"), "{head}");
    assert!(head.contains("\r\ncontent-length: 2\r\n"), "{head}");
    assert!(head.starts_with("post /x http/1.1\r\n"), "{head}");
}

#[tokio::test]
async fn hop_by_hop_headers_do_not_reach_the_client() {
    let (address, _upstream) = raw_upstream(
        "HTTP/1.1 200 OK\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nX-Yours: 2\r\nKeep-Alive: timeout=5\r\n\
         Proxy-Authenticate: Basic\r\nUpgrade: h2c\r\nTrailer: X-T\r\nContent-Length: 2\r\n\r\nhi",
    )
    .await;
    let gateway = start_one(address, ALL, "").await;
    let response = gateway.get("/x").await;
    for name in ["connection", "x-mine", "keep-alive", "proxy-authenticate", "upgrade", "trailer"] {
        assert_eq!(header(&response, name), None, "{name}");
    }
    assert_eq!(header(&response, "x-yours"), Some("2"));
    assert_eq!(header(&response, "via"), Some("1.1 shopfleet-gateway"));
    assert_eq!(response.text().await.unwrap(), "hi");
}

#[tokio::test]
async fn forwarded_headers_describe_the_original_request() {
    let gateway = start_fleet(true).await;
    let port = gateway.address.port().to_string();
    let request = gateway
        .request("GET", "/api/users/me?x=1")
        .header("x-forwarded-for", "203.0.113.9")
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-host", "evil.example")
        .header("x-forwarded-prefix", "/evil");
    let echo = json_of(within(request.send()).await.unwrap()).await;
    let headers = &echo["headers"];
    assert_eq!(headers["x-forwarded-for"], json!(["203.0.113.9, 127.0.0.1"]));
    assert_eq!(headers["x-real-ip"], json!(["127.0.0.1"]));
    assert_eq!(headers["x-forwarded-proto"], json!(["http"]));
    assert_eq!(headers["x-forwarded-host"], json!(["127.0.0.1"]));
    assert_eq!(headers["x-forwarded-port"], json!([port]));
    assert_eq!(headers["x-forwarded-path"], json!(["/api/users/me"]));
    assert!(headers.get("x-forwarded-prefix").is_none());
    let echo = json_of(gateway.get("/docs/user/x").await).await;
    assert_eq!(echo["headers"]["x-forwarded-prefix"], json!(["/docs/user"]));
    assert_eq!(echo["headers"]["x-forwarded-path"], json!(["/docs/user/x"]));
}

#[tokio::test]
async fn host_is_the_upstreams_unless_the_route_preserves_it() {
    let address = serve(echo("s")).await;
    let routes = "  routes:\n  - {name: keeps, paths: [/keeps], preserve_host: true}\n  - {name: not, paths: [/not]}";
    let gateway = start_one(address, routes, "").await;
    let host = async |path| {
        let request = gateway.request("GET", path).header("host", "shop.example:8000");
        json_of(within(request.send()).await.unwrap()).await["headers"]["host"].clone()
    };
    assert_eq!(host("/keeps").await, json!(["shop.example:8000"]));
    assert_eq!(host("/not").await, json!([address.to_string()]));
}

#[tokio::test]
async fn credentials_and_conditions_are_forwarded() {
    let gateway = start_fleet(true).await;
    let sent = [("authorization", "Bearer abc"), ("idempotency-key", "k"), ("if-none-match", "\"1\"")];
    let mut request = gateway.request("PATCH", "/api/products/1/stock").body("{}");
    for (name, value) in sent {
        request = request.header(name, value);
    }
    let echo = json_of(within(request.send()).await.unwrap()).await;
    for (name, value) in sent {
        assert_eq!(echo["headers"][name], json!([value]));
    }
    assert_eq!(echo["method"], "PATCH");
    assert_eq!(echo["body"], "{}");
}

/// Checks that internal headers from outside are removed, in any spelling and number.
#[tokio::test]
async fn internal_headers_are_removed() {
    let gateway = start_fleet(false).await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let internal = [
        ("X-Request-Timeout-Ms", "0"),
        ("x-request-timeout-ms", "1"),
        ("X-REQUEST-TIMEOUT-MS", "-1"),
        ("TraceParent", trace),
        ("traceparent", trace),
        ("Tracestate", "a=1"),
        ("Baggage", "user=admin"),
    ];
    let filler: String = (0..80).map(|number| format!("X-Filler-{number}: 1\r\n")).collect();
    let internal: String = internal.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    for path in ["/api/users", "/api/products", "/api/orders", "/api/payments", "/api/webhooks/stripe", "/docs/user/"] {
        let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{filler}{internal}\r\n");
        let response = gateway.raw(&head).await.to_ascii_lowercase();
        assert!(response.starts_with("http/1.1 200 "), "{response}");
        assert!(response.contains("\"x-filler-79\""), "{response}");
        for name in ["x-request-timeout-ms", "tracestate", "baggage", "0af7651916cd43dd8448eb211c80319c"] {
            assert!(!response.contains(name), "{path}: {name} in {response}");
        }
    }
}
