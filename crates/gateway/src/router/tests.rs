use super::*;
use crate::config::GatewayConfig;
use crate::{ExtraRoute, Options};

fn name(yaml: &str, method: &Method, path: &str) -> Option<String> {
    let yaml = format!("_format_version: \"3.0\"\nservices:\n- name: s\n  url: http://s\n  routes:\n{yaml}");
    let options = Options {
        extra_routes: vec![ExtraRoute { prefix: "/sandbox/".to_owned(), url: "http://127.0.0.1:1".to_owned() }],
        ..Options::default()
    };
    let config = GatewayConfig::parse(&yaml).unwrap();
    let gateway = crate::proxy::Gateway::build(config, &options).unwrap();
    gateway.router().find(method, path).map(|matched| matched.target.name.clone())
}

#[tokio::test]
async fn longest_prefix_takes_precedence() {
    let routes = "  - {name: short, paths: [/api]}\n  - {name: long, paths: [/api/users, /x]}\n";
    let find = |path| name(routes, &Method::GET, path);
    assert_eq!(find("/api/users/1").as_deref(), Some("long"));
    assert_eq!(find("/api/usersX").as_deref(), Some("long"));
    assert_eq!(find("/api/user").as_deref(), Some("short"));
    assert_eq!(find("/ap"), None);
    assert_eq!(find("/x/y").as_deref(), Some("long"));
}

#[tokio::test]
async fn expressions_precede_prefixes_by_priority() {
    let routes = "  - {name: prefix, paths: [/api/users/me]}\n  - {name: any, paths: ['~/api/.*']}\n  \
                  - {name: number, paths: ['~/api/users/\\d+$'], regex_priority: 1}\n";
    let find = |path| name(routes, &Method::GET, path);
    assert_eq!(find("/api/users/me").as_deref(), Some("any"));
    assert_eq!(find("/api/users/12").as_deref(), Some("number"));
    assert_eq!(find("/v1/api/users/12"), None);
}

#[tokio::test]
async fn route_with_methods_takes_precedence() {
    let routes = "  - {name: long, paths: [/api/users]}\n  - {name: posts, paths: [/api], methods: [POST]}\n";
    assert_eq!(name(routes, &Method::GET, "/api/users").as_deref(), Some("long"));
    assert_eq!(name(routes, &Method::POST, "/api/users").as_deref(), Some("posts"));
    assert_eq!(name(routes, &Method::GET, "/api"), None);
}

#[tokio::test]
async fn extra_route_matches_whole_segments() {
    let routes = "  - {name: api, paths: [/api]}\n";
    assert_eq!(name(routes, &Method::GET, "/sandbox").as_deref(), Some("sandbox"));
    assert_eq!(name(routes, &Method::GET, "/sandbox/v1").as_deref(), Some("sandbox"));
    assert_eq!(name(routes, &Method::GET, "/sandboxes"), None);
}
