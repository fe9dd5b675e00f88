//! Settings of Kong in Compose and Kubernetes that differ from its defaults.

use std::collections::BTreeMap;

use common::config::ServiceName;
use serde_json::json;

use super::file::{env, environment, services};
use super::manifests::{Manifests, secrets};
use crate::support::yaml;

/// Returns Kong's variables in both places.
fn settings() -> [(&'static str, BTreeMap<String, String>); 2] {
    [
        ("Compose", environment(&services()["kong"], &env())),
        ("Kubernetes", Manifests::of("dev").environment("kong", &secrets("dev"))),
    ]
}

#[test]
fn kong_has_no_extra_listeners_or_reports() {
    for (place, settings) in settings() {
        for off in ["KONG_ADMIN_LISTEN", "KONG_ADMIN_GUI_LISTEN", "KONG_ANONYMOUS_REPORTS"] {
            assert_eq!(settings[off], "off", "{off} in {place}");
        }
    }
}

/// The plugin checks the declared length only. nginx stops a chunked body that no route takes before it is buffered on disk;
/// the services reject those that are within its limit and beyond theirs.
#[test]
fn nginx_has_the_size_of_the_largest_body() {
    let file = yaml("kong/kong.yml");
    let routes = file["services"].as_array().unwrap().iter().flat_map(|service| service["routes"].as_array().unwrap());
    let plugins = routes.chain([&file]).flat_map(|level| level["plugins"].as_array().into_iter().flatten());
    let limits = plugins.filter(|plugin| plugin["name"] == "request-size-limiting").map(|plugin| {
        assert_eq!(plugin["config"]["size_unit"], "kilobytes");
        plugin["config"]["allowed_payload_size"].as_u64().unwrap()
    });
    let limits: Vec<_> = limits.collect();
    assert_eq!(limits, [5 * 1024 + 64, 256], "pictures, everything else");
    for (place, settings) in settings() {
        let size =
            settings["KONG_NGINX_HTTP_CLIENT_MAX_BODY_SIZE"].strip_suffix('m').unwrap_or_else(|| panic!("{place}"));
        let kilobytes = size.parse::<u64>().unwrap() * 1024;
        assert!((limits[0]..limits[0] + 1024).contains(&kilobytes), "{place}: {kilobytes}");
    }
}

/// The log format uses no nginx variable with a query string: neither the request's nor the referrer's.
#[test]
fn access_log_has_no_query_strings() {
    for (place, settings) in settings() {
        let (name, format) = settings["KONG_NGINX_HTTP_LOG_FORMAT"].split_once(' ').unwrap();
        assert_eq!(settings["KONG_PROXY_ACCESS_LOG"], format!("/dev/stdout {name}"), "{place}");
        assert!(format.starts_with('\'') && format.ends_with('\'') && !format.contains('#'), "{place}: {format}");
        let variables = format.split('$').skip(1);
        let named =
            variables.map(|rest| rest.split(|end: char| !end.is_ascii_alphanumeric() && end != '_').next().unwrap());
        let named: Vec<_> = named.collect();
        assert!(named.contains(&"uri") && named.contains(&"status"), "{place}: {named:?}");
        for secret in
            ["request", "request_uri", "args", "query_string", "http_referer", "http_authorization", "http_cookie"]
        {
            assert!(!named.contains(&secret), "{place}: {secret}");
        }
    }
}

#[test]
fn kong_workers_and_connections_are_bounded() {
    for (place, settings) in settings() {
        let number = |name: &str| settings[name].parse::<u64>().unwrap_or_else(|_| panic!("{name} in {place}"));
        assert!((1..=4).contains(&number("KONG_NGINX_WORKER_PROCESSES")), "{place}");
        assert!((1..=30).contains(&number("KONG_DNS_VALID_TTL")), "{place}: DNS cache duration");
        // Number of headers that the header-removing plugin inspects.
        assert_eq!(number("KONG_LUA_MAX_REQ_HEADERS"), 1000, "{place}: Kong's largest");
        let (zone, most) = settings["KONG_NGINX_PROXY_LIMIT_CONN"].split_once(' ').unwrap();
        assert_eq!(most.parse::<usize>().unwrap(), ::gateway::MAX_CONNECTIONS_PER_ADDRESS, "{place}");
        let declared = &settings["KONG_NGINX_HTTP_LIMIT_CONN_ZONE"];
        assert!(declared.starts_with(&format!("$binary_remote_addr zone={zone}:")), "{place}: {declared}");
    }
}

/// Behind a load balancer, limits count its clients instead of the balancer.
#[test]
fn client_address_is_the_rightmost_untrusted_hop() {
    for (place, settings) in settings() {
        assert_eq!(settings["KONG_REAL_IP_HEADER"], "X-Forwarded-For", "{place}");
        assert_eq!(settings["KONG_REAL_IP_RECURSIVE"], "on", "{place}");
        for network in settings["KONG_TRUSTED_IPS"].split(',') {
            let (address, length) = network.split_once('/').unwrap_or_else(|| panic!("{place}: {network}"));
            let private = ["10.", "172.", "192.168.", "0.", "::"].iter().any(|start| address.starts_with(start));
            assert!(!private && length.parse::<u8>().unwrap() >= 8, "{place}: {network} is trusted by default");
        }
    }
}

/// A service trusts the gateway by name, and the proxies that the gateway trusts, but no shared network.
#[test]
fn services_trust_the_gateway_only() {
    let (containers, env, manifests) = (services(), env(), Manifests::of("production"));
    let [(_, compose), (_, cluster)] = settings();
    let pods = manifests.kind("Service")["kong-pods"];
    assert_eq!((&pods["spec"]["clusterIP"], &pods["spec"]["selector"]), (&"None".into(), &json!({"app": "kong"})));
    assert_eq!(pods["spec"]["publishNotReadyAddresses"], true, "one that is about to go still brings requests");
    for name in ServiceName::ALL {
        let own = &environment(&containers[name.as_str()], &env)["TRUSTED_PROXIES"];
        assert_eq!(*own, format!("kong,{}", compose["KONG_TRUSTED_IPS"]), "{name}");
        let own = &manifests.environment(name.as_str(), &secrets("production"))["TRUSTED_PROXIES"];
        assert_eq!(*own, format!("kong-pods,{}", cluster["KONG_TRUSTED_IPS"]), "{name}");
    }
}
