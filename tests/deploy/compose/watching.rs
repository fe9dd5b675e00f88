//! Monitoring containers: in optional profiles, and consistent with their configuration files.

use std::collections::BTreeSet;

use serde_json::Value;

use super::file::{env, environment, services};
use crate::support::{read, yaml};

fn profile(service: &Value) -> Option<&str> {
    service["profiles"].as_array()?.first()?.as_str()
}

#[test]
fn core_profile_has_the_fleets_dependencies() {
    let services = services();
    let core: Vec<_> =
        services.iter().filter(|(_, service)| profile(service).is_none()).map(|(name, _)| name).collect();
    assert_eq!(core.len(), 10, "{core:?}");
    let profiles: BTreeSet<_> = services.values().filter_map(profile).collect();
    assert_eq!(profiles, ["logging", "observability", "sandbox"].into());
    assert_eq!(env()["COMPOSE_PROFILES"], "sandbox");
}

/// Spans are sent only with a collector: the variable is passed through if set, and `.env` has it as a comment.
#[test]
fn traces_are_sent_only_if_configured() {
    let (services, mut env) = (services(), env());
    let variable = "OTEL_EXPORTER_OTLP_ENDPOINT";
    let sent = |env: &_| environment(&services["order-service"], env).contains_key(variable);
    assert!(!sent(&env));
    let line =
        read("deploy/env").lines().find_map(|line| line.strip_prefix(&format!("#{variable}=")).map(str::to_owned));
    let url = line.unwrap();
    let (host, port) = url.strip_prefix("http://").and_then(|rest| rest.split_once(':')).unwrap();
    let ports = services[host]["ports"].as_array().unwrap();
    assert!(ports.iter().any(|listens| listens.as_str().unwrap().ends_with(&format!(":{port}"))), "{url}");
    env.insert(variable.to_owned(), url);
    assert!(sent(&env));
}

/// Every Prometheus target, Grafana data source and public address names a listening container.
#[test]
fn scrape_targets_exist() {
    let services = services();
    let mut addresses = Vec::new();
    let mut collect = |value: &Value| addresses.extend(value.as_array().into_iter().flatten().cloned());
    let prometheus = yaml("monitoring/prometheus.yml");
    collect(&prometheus["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]);
    collect(&yaml("monitoring/targets/public.yml")[0]["targets"]);
    for scrape in prometheus["scrape_configs"].as_array().unwrap() {
        collect(&scrape["static_configs"][0]["targets"]);
        for consul in scrape["consul_sd_configs"].as_array().into_iter().flatten() {
            collect(&Value::from(vec![consul["server"].clone()]));
            assert_eq!(consul["services"][0], scrape["job_name"], "the job is named as the service");
        }
        for rule in scrape["relabel_configs"].as_array().into_iter().flatten() {
            if rule["target_label"] == "__address__" {
                collect(&Value::from(vec![rule["replacement"].clone()]));
            }
        }
    }
    let sources = yaml("monitoring/grafana/provisioning/datasources/shopfleet.yml");
    for source in sources["datasources"].as_array().unwrap() {
        collect(&Value::from(vec![source["url"].clone()]));
    }
    assert!(addresses.len() > 15, "{addresses:?}");
    for address in addresses {
        let address = address.as_str().unwrap().trim_start_matches("http://");
        let (host, rest) = address.split_once(':').unwrap();
        let port = rest.split('/').next().unwrap();
        let host = if host == "localhost" { "prometheus" } else { host };
        let ports = services.get(host).unwrap_or_else(|| panic!("{address}"))["ports"].as_array().unwrap();
        let inside = ports.iter().map(|listens| listens.as_str().unwrap().rsplit(':').next().unwrap());
        assert!(inside.into_iter().any(|inside| inside == port), "{address}: no listener there");
    }
}

/// The product service serves the same metrics at two paths.
#[test]
fn scrape_targets_are_unique() {
    let prometheus = yaml("monitoring/prometheus.yml");
    let scrapes = prometheus["scrape_configs"].as_array().unwrap();
    let jobs: BTreeSet<_> = scrapes.iter().map(|scrape| scrape["job_name"].as_str().unwrap()).collect();
    assert_eq!(jobs.len(), scrapes.len());
    let product: Vec<_> = scrapes.iter().filter(|scrape| scrape.to_string().contains("product-service")).collect();
    assert_eq!(product.len(), 1);
    assert_eq!(product[0]["metrics_path"], "/actuator/prometheus");
}

#[test]
fn watched_limit_matches_the_configured_limit() {
    let rules = read("monitoring/rules/limits.yml");
    for name in ["user-service", "product-service", "order-service", "payment-service"] {
        let limit = services()[name]["mem_limit"].as_str().unwrap().strip_suffix('m').unwrap().parse::<u64>().unwrap();
        assert!(rules.contains(&format!("* 0 + {}", limit * 1024 * 1024)), "{name}");
    }
}
