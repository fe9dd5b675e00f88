//! `kong/kong.yml` as Kong reads it. Parsing it validates the names of plugins and fields.

use ::gateway::GatewayConfig;
use serde_json::{Value, json};

use crate::support::read;
use crate::support::yaml;

fn plugin<'a>(plugins: &'a Value, name: &str) -> Option<&'a Value> {
    let found = plugins.as_array()?.iter().find(|plugin| plugin["name"] == name)?;
    Some(&found["config"])
}

#[test]
fn plugins_and_fields_are_valid_in_kong() {
    GatewayConfig::parse(&read("kong/kong.yml")).unwrap();
}

#[test]
fn required_kong_options_are_enabled() {
    let file = yaml("kong/kong.yml");
    let global = |name: &str| plugin(&file["plugins"], name).unwrap_or_else(|| panic!("{name} is missing"));
    for metrics in ["status_code_metrics", "latency_metrics", "bandwidth_metrics", "upstream_health_metrics"] {
        assert_eq!(global("prometheus")[metrics], true, "{metrics}");
    }
    let id = json!({"header_name": "X-Request-ID", "generator": "uuid", "echo_downstream": true});
    assert_eq!(global("correlation-id"), &id);
}

/// Headers that services accept from each other: those of the platform except the request id, and the trace context.
#[test]
fn internal_headers_are_removed() {
    let source = read("crates/common/src/task/request_context.rs");
    let defined = source.split("HeaderName::from_static(\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let mut internal: Vec<_> = defined.filter(|name| *name != "x-request-id").map(str::to_owned).collect();
    assert!(internal.contains(&"x-request-timeout-ms".to_owned()), "{internal:?}");
    internal.extend(["traceparent", "tracestate", "baggage"].map(str::to_owned));
    let file = yaml("kong/kong.yml");
    let removed =
        plugin(&file["plugins"], "request-transformer").unwrap()["remove"]["headers"].as_array().unwrap().clone();
    let removed: Vec<_> = removed.iter().map(|name| name.as_str().unwrap().to_lowercase()).collect();
    for name in internal {
        assert!(removed.contains(&name), "{name}");
    }
}

/// Upstream timeouts exceed the services' own, and a hanging service or Redis does not delay a request twice.
#[test]
fn upstream_timeouts_are_set() {
    let (file, router) = (yaml("kong/kong.yml"), read("crates/common/src/http/settings.rs"));
    let (_, limit) = router.split_once("const REQUEST_TIMEOUT: Duration = Duration::from_secs(").unwrap();
    let limit: u64 = limit.split(')').next().unwrap().parse::<u64>().unwrap() * 1000;
    for service in file["services"].as_array().unwrap() {
        let name = &service["name"];
        let milliseconds = |field: &str| service[field].as_u64().unwrap_or_else(|| panic!("{name} has no {field}"));
        assert_eq!(milliseconds("retries"), 1, "{name}");
        let (connect, write, read) =
            (milliseconds("connect_timeout"), milliseconds("write_timeout"), milliseconds("read_timeout"));
        assert!(read > limit && 2 * read <= 70_000, "{name}: {read} and the services' own {limit}");
        assert!(connect <= 5_000 && write <= 10_000, "{name}: {connect} {write}");
        for route in service["routes"].as_array().unwrap() {
            if let Some(limits) = plugin(&route["plugins"], "rate-limiting") {
                assert!(limits["redis_timeout"].as_u64().is_some_and(|timeout| timeout <= 200), "{}", route["name"]);
            }
        }
    }
}

/// Paths that share the rate limits of a route.
#[test]
fn related_paths_share_limits() {
    let file = yaml("kong/kong.yml");
    let routes = file["services"].as_array().unwrap().iter().flat_map(|service| service["routes"].as_array().unwrap());
    let routes: Vec<_> = routes.collect();
    for (name, paths) in [
        ("product-routes", json!(["/api/products", "/api/reviews"])),
        ("order-routes", json!(["/api/orders", "/api/carts"])),
        ("payment-routes", json!(["/api/payments", "/api/refunds"])),
    ] {
        let route = routes.iter().find(|route| route["name"] == name).unwrap();
        assert_eq!(route["paths"], paths, "{name}");
    }
}

/// A read of an order's timeline waits up to eight seconds for an entry, and then still has to be made.
#[test]
fn wait_for_the_timeline_is_within_the_read_timeout() {
    let file = yaml("kong/kong.yml");
    let service =
        file["services"].as_array().unwrap().iter().find(|service| service["name"] == "order-service").unwrap();
    assert!(service["read_timeout"].as_u64().unwrap() >= 8_000 + 10_000, "{service}");
}

/// With credentials, `*` would let any page act for a signed-in user.
#[test]
fn cors_origins_are_listed() {
    let file = yaml("kong/kong.yml");
    let cors = plugin(&file["plugins"], "cors").unwrap();
    assert_eq!(cors["credentials"], true);
    let origins = cors["origins"].as_array().unwrap();
    assert!(!origins.is_empty());
    for origin in origins {
        let origin = origin.as_str().unwrap();
        assert!(origin.starts_with("http") && !origin.contains('*'), "{origin}");
    }
}

#[test]
fn route_groups_have_rate_limits_counted_in_redis() {
    let file = yaml("kong/kong.yml");
    let mut found = Vec::new();
    for service in file["services"].as_array().unwrap() {
        for route in service["routes"].as_array().unwrap() {
            let Some(limits) = plugin(&route["plugins"], "rate-limiting") else { continue };
            // Otherwise Kong would count by consumer, of which there is none, and a Redis outage would reject every request.
            assert_eq!((&limits["limit_by"], &limits["policy"]), (&json!("ip"), &json!("redis")));
            assert_eq!(limits["fault_tolerant"], true);
            found.push((route["name"].as_str().unwrap(), limits["minute"].as_i64(), limits["hour"].as_i64()));
        }
    }
    let expected = [
        ("user-routes", Some(100), Some(1000)),
        ("product-routes", Some(200), Some(2000)),
        ("product-image-upload-routes", Some(200), Some(2000)),
        ("order-routes", Some(50), Some(500)),
        ("payment-routes", Some(30), Some(300)),
    ];
    assert_eq!(found, expected);
}
