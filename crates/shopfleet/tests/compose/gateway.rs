//! What `kong/kong.yml` says to Kong. Names of plugins and fields are held against Kong's by reading it.

use ::gateway::GatewayConfig;
use serde_json::{Value, json};

use crate::read;
use crate::support::yaml;

fn plugin<'a>(plugins: &'a Value, name: &str) -> Option<&'a Value> {
    let found = plugins.as_array()?.iter().find(|plugin| plugin["name"] == name)?;
    Some(&found["config"])
}

#[test]
fn every_plugin_and_field_is_one_of_kongs() {
    GatewayConfig::parse(&read("kong/kong.yml")).unwrap();
}

#[test]
fn what_kong_leaves_off_is_switched_on() {
    let file = yaml("kong/kong.yml");
    let global = |name: &str| plugin(&file["plugins"], name).unwrap_or_else(|| panic!("{name} is missing"));
    for metrics in ["status_code_metrics", "latency_metrics", "bandwidth_metrics", "upstream_health_metrics"] {
        assert_eq!(global("prometheus")[metrics], true, "{metrics}");
    }
    let id = json!({"header_name": "X-Request-ID", "generator": "uuid", "echo_downstream": true});
    assert_eq!(global("correlation-id"), &id);
}

/// With credentials, `*` would let any page act for whoever is signed in.
#[test]
fn origins_are_listed() {
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
fn each_group_of_routes_has_the_limits_of_the_older_system_counted_in_redis() {
    let file = yaml("kong/kong.yml");
    let mut found = Vec::new();
    for service in file["services"].as_array().unwrap() {
        for route in service["routes"].as_array().unwrap() {
            let Some(limits) = plugin(&route["plugins"], "rate-limiting") else { continue };
            // Else Kong counts by consumer, and there is none; else an outage of Redis would refuse every request.
            assert_eq!((&limits["limit_by"], &limits["policy"]), (&json!("ip"), &json!("redis")));
            assert_eq!(limits["fault_tolerant"], true);
            found.push((route["name"].as_str().unwrap(), limits["minute"].as_i64(), limits["hour"].as_i64()));
        }
    }
    let expected = [
        ("user-routes", Some(100), Some(1000)),
        ("product-routes", Some(200), Some(2000)),
        ("order-routes", Some(50), Some(500)),
        ("payment-routes", Some(30), Some(300)),
    ];
    assert_eq!(found, expected);
}
