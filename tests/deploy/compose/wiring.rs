//! Ports, addresses and start order of containers.

use std::collections::BTreeSet;

use serde_json::Value;

use super::build::has_health_check;
use super::file::{env, environment, services};
use crate::support::root;
use crate::support::yaml;

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|item| item.as_str().unwrap().to_owned()).collect()
}

/// Returns the published ports of a container.
fn listens(service: &Value) -> Vec<String> {
    texts(&service["ports"]).iter().map(|port| port.rsplit(':').next().unwrap().to_owned()).collect()
}

#[test]
fn ports_are_published_to_loopback_once() {
    let mut taken = BTreeSet::new();
    for (name, service) in services() {
        let ports = texts(&service["ports"]);
        // These only call others.
        assert!(!ports.is_empty() || ["elasticsearch-setup", "filebeat"].contains(&name.as_str()), "{name}");
        for port in ports {
            let [address, outside, _] = port.split(':').collect::<Vec<_>>()[..] else { panic!("{name}: {port}") };
            assert_eq!(address, "127.0.0.1", "{name}: {port}");
            assert!(taken.insert(outside.to_owned()), "{name}: {port} is taken");
        }
    }
}

#[test]
fn containers_have_health_checks_and_wait_for_dependencies() {
    let services = services();
    for (name, service) in &services {
        let own = service["healthcheck"]["test"][0].as_str().is_some_and(|kind| kind.starts_with("CMD"));
        let built = service["build"]["target"].as_str().is_some_and(has_health_check);
        assert!(own || built, "{name} has no health check");
        for (other, how) in service["depends_on"].as_object().into_iter().flatten() {
            assert!(services.contains_key(other), "{name} waits for {other}, which is not there");
            assert_eq!(how["condition"], "service_healthy", "{name} waits for {other}");
            let started = services[other]["profiles"].is_null() || services[other]["profiles"] == service["profiles"];
            assert!(started, "{name} waits for {other}, which may not be started");
        }
    }
}

/// Every address in an environment names a listening container, and the start waits for it.
#[test]
fn addresses_name_existing_containers() {
    let (services, env) = (services(), env());
    let mut seen = 0;
    for (name, service) in &services {
        for (variable, value) in environment(service, &env) {
            // An address for browsers, which are outside.
            if variable == "STRIPE_HOSTED_URL" {
                let port = value.rsplit(':').next().unwrap().to_owned();
                assert!(listens(&services["stripe-sandbox"]).contains(&port), "{name}: {variable} names port {port}");
                continue;
            }
            let Some((scheme, rest)) = value.split_once("://") else { continue };
            if scheme == "file" {
                continue;
            }
            let authority = rest.split('/').next().unwrap().rsplit('@').next().unwrap();
            let (host, port) = authority.split_once(':').unwrap_or_else(|| panic!("{name}: {variable} has no port"));
            let there = services.get(host).unwrap_or_else(|| panic!("{name}: {variable} names {host}"));
            assert!(listens(there).contains(&port.to_owned()), "{name}: {variable} names port {port}");
            // Keys are fetched on first use; the sandbox is optional; Kibana is called by others.
            let later = ["JWKS_URL", "STRIPE_API_URL", "KIBANA_URL"].contains(&variable.as_str());
            assert!(later || service["depends_on"].get(host).is_some(), "{name} waits not for {host}");
            seen += 1;
        }
    }
    assert!(seen >= 20, "only {seen} addresses were seen");
}

#[test]
fn gateway_upstreams_match_container_ports() {
    let (services, gateway) = (services(), yaml("kong/kong.yml"));
    for upstream in gateway["services"].as_array().unwrap() {
        let url = upstream["url"].as_str().unwrap().strip_prefix("http://").unwrap();
        let (host, rest) = url.split_once(':').unwrap();
        let port = rest.split('/').next().unwrap();
        assert_eq!(services[host]["environment"]["PORT"].to_string(), port, "{url}");
        for plugin in
            upstream["routes"].as_array().unwrap().iter().filter_map(|route| route["plugins"].as_array()).flatten()
        {
            let config = &plugin["config"];
            if plugin["name"] != "rate-limiting" {
                continue;
            }
            let host = config["redis_host"].as_str().unwrap();
            assert!(listens(&services[host]).contains(&config["redis_port"].to_string()), "{config}");
            assert_eq!(config["redis_password"], "{vault://env/redis-password}");
        }
    }
    let env = env();
    let kong = environment(&services["kong"], &env);
    assert_eq!(kong["REDIS_PASSWORD"], environment(&services["redis"], &env)["REDISCLI_AUTH"]);
    let file = format!("./kong/kong.yml:{}:ro", kong["KONG_DECLARATIVE_CONFIG"]);
    assert!(texts(&services["kong"]["volumes"]).contains(&file), "{file}");
}

/// Data is in named volumes; configuration is in the repository and mounted read-only.
#[test]
fn volumes_are_named_or_repository_files() {
    let declared = yaml("docker-compose.yml")["volumes"].as_object().unwrap().clone();
    let mut used = BTreeSet::new();
    for (name, service) in services() {
        for volume in texts(&service["volumes"]) {
            let source = volume.split(':').next().unwrap();
            if let Some(path) = source.strip_prefix("./") {
                assert!(root().join(path).exists() && volume.ends_with(":ro"), "{name}: {volume}");
            } else if source == "/var/lib/docker/containers" {
                // Container logs of the engine, for the log shipper.
                assert!(name == "filebeat" && volume.ends_with(":ro"), "{name}: {volume}");
            } else {
                assert!(declared.contains_key(source), "{name}: {volume}");
                used.insert(source.to_owned());
            }
        }
    }
    assert_eq!(used, declared.keys().cloned().collect());
}
