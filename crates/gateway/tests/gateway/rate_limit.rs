//! Rate limits, with windows of a year so that none ends while a test runs.

use serde_json::json;

use crate::harness::{echo, header, json_of, serve, start, start_fleet, start_one, within};

fn limit(year: u32) -> String {
    format!("{{name: rate-limiting, config: {{year: {year}, limit_by: ip, policy: redis, redis_host: redis}}}}")
}

#[tokio::test]
async fn request_over_the_limit_is_429() {
    let routes = format!("  routes: [{{name: r, paths: [/], plugins: [{}]}}]", limit(2));
    let gateway = start_one(serve(echo("s")).await, &routes, "").await;
    for left in ["1", "0"] {
        let response = gateway.get("/").await;
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "x-ratelimit-remaining-year"), Some(left));
        assert_eq!(header(&response, "retry-after"), None);
    }
    // A client cannot impersonate another.
    let request =
        gateway.request("GET", "/").header("x-forwarded-for", "203.0.113.1").header("x-real-ip", "203.0.113.1");
    let response = within(request.send()).await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(header(&response, "ratelimit-limit"), Some("2"));
    assert_eq!(header(&response, "ratelimit-remaining"), Some("0"));
    assert_eq!(header(&response, "x-ratelimit-limit-year"), Some("2"));
    assert_eq!(header(&response, "x-ratelimit-remaining-year"), Some("0"));
    assert_eq!(header(&response, "retry-after"), header(&response, "ratelimit-reset"));
    assert!(header(&response, "retry-after").unwrap().parse::<u32>().unwrap() >= 1);
    assert_eq!(header(&response, "content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(json_of(response).await, json!({ "message": "API rate limit exceeded" }));
}

#[tokio::test]
async fn each_route_has_its_own_counters() {
    let route = |name: &str| format!("{{name: {name}, paths: [/{name}], plugins: [{}]}}", limit(1));
    let routes = format!("  routes: [{}, {}]", route("a"), route("b"));
    let gateway = start_one(serve(echo("s")).await, &routes, "").await;
    for (path, status) in [("/a", 200), ("/a", 429), ("/b", 200), ("/b", 429)] {
        assert_eq!(gateway.get(path).await.status(), status, "{path}");
    }
}

#[tokio::test]
async fn route_limit_overrides_service_and_global_limits() {
    let (service, route) = (limit(20), limit(10));
    let fields = format!(
        "  plugins: [{service}]\n  routes: [{{name: r, paths: [/route], plugins: [{route}]}}, {{name: s, paths: [/service]}}]"
    );
    let address = serve(echo("s")).await;
    let yaml = format!(
        "_format_version: \"3.0\"\nservices:\n- name: s\n  url: http://{address}\n{fields}\n- name: t\n  url: http://{address}\n  \
         routes: [{{name: t, paths: [/global]}}]\nplugins: [{}]\n",
        limit(30)
    );
    let gateway = start(&yaml, gateway::Options::default()).await;
    for (path, limit) in [("/route", "10"), ("/service", "20"), ("/global", "30")] {
        let response = gateway.get(path).await;
        assert_eq!(header(&response, "ratelimit-limit"), Some(limit), "{path}");
        // One decision, not three.
        assert_eq!(response.headers().get_all("ratelimit-limit").iter().count(), 1);
    }
}

#[tokio::test]
async fn routes_of_the_repository_have_their_limits() {
    let gateway = start_fleet(true).await;
    let limits = [
        ("/api/users", "100", "1000"),
        ("/api/auth/login", "100", "1000"),
        ("/api/products", "200", "2000"),
        ("/api/reviews", "200", "2000"),
        ("/api/orders", "50", "500"),
        ("/api/carts", "50", "500"),
        ("/api/payments", "30", "300"),
        ("/api/payments/config", "30", "300"),
        ("/api/refunds", "30", "300"),
    ];
    for (path, minute, hour) in limits {
        let response = gateway.get(path).await;
        assert_eq!(header(&response, "x-ratelimit-limit-minute"), Some(minute), "{path}");
        assert_eq!(header(&response, "x-ratelimit-limit-hour"), Some(hour), "{path}");
        assert_eq!(header(&response, "ratelimit-limit"), Some(minute), "{path}");
        for name in
            ["ratelimit-remaining", "ratelimit-reset", "x-ratelimit-remaining-minute", "x-ratelimit-remaining-hour"]
        {
            assert!(header(&response, name).is_some(), "{path} {name}");
        }
    }
    let upload = within(gateway.request("POST", "/api/products/7/images").body("x").send()).await.unwrap();
    assert_eq!(header(&upload, "ratelimit-limit"), Some("200"));
    for path in ["/api/webhooks/stripe", "/media/0a1b.webp", "/docs/user/"] {
        assert_eq!(header(&gateway.get(path).await, "ratelimit-limit"), None, "{path}");
    }
    for _ in 0..320 {
        assert_eq!(gateway.get("/api/webhooks/stripe").await.status(), 200);
    }
}

#[tokio::test]
async fn limits_can_be_disabled() {
    let gateway = start_fleet(false).await;
    for _ in 0..60 {
        let response = gateway.get("/api/payments").await;
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "ratelimit-limit"), None);
    }
}

/// Checks that each client behind a load balancer has its own limit and cannot impersonate another.
#[tokio::test]
async fn clients_behind_a_trusted_proxy_have_separate_counters() {
    let routes = format!("  routes: [{{name: r, paths: [/], plugins: [{}]}}]", limit(2));
    let address = serve(echo("s")).await;
    let yaml = format!("_format_version: \"3.0\"\nservices:\n- name: s\n  url: http://{address}\n{routes}\n");
    let trusted_proxies = vec!["127.0.0.0/8".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
    let gateway = start(&yaml, gateway::Options { trusted_proxies, ..gateway::Options::default() }).await;
    let from = async |forwarded: &str| {
        let request = gateway.request("GET", "/").header("x-forwarded-for", forwarded);
        within(request.send()).await.unwrap()
    };
    for _ in 0..2 {
        for client in ["203.0.113.1", "203.0.113.2", "2001:db8::1"] {
            assert_eq!(from(client).await.status(), 200, "{client}");
        }
    }
    // Entries before the rightmost untrusted hop are claims of the client; a further trusted hop, and another address of
    // the same IPv6 network, change nothing.
    for spoofed in ["203.0.113.9, 203.0.113.1", "203.0.113.2, 10.1.2.3", "2001:db8::ffff", "198.51.100.1, 2001:db8::2"]
    {
        assert_eq!(from(spoofed).await.status(), 429, "{spoofed}");
    }
    let response = from("198.51.100.7, 203.0.113.3, 10.1.2.3").await;
    assert_eq!(response.status(), 200);
    let echo = json_of(response).await;
    assert_eq!(echo["headers"]["x-real-ip"], json!(["203.0.113.3"]));
    assert_eq!(echo["headers"]["x-forwarded-for"], json!(["198.51.100.7, 203.0.113.3, 10.1.2.3, 127.0.0.1"]));
}
