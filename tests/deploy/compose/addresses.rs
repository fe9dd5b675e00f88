//! Addresses in the pods' variables, arguments and files.

use std::collections::BTreeSet;

use serde_json::Value;

use super::edges::covers;
use super::kubernetes::ports;
use super::manifests::{Manifests, Secrets};
use crate::support::yaml;

/// Prometheus' scrape configurations in a cluster: its own, and the exporters'.
pub(crate) const SCRAPES: [&str; 2] =
    ["k8s/components/observability/scrape.yml", "k8s/components/exporters/scrape.yml"];

/// Edge from a pod to a host and port.
pub(crate) type Edge = (String, String, u64);

/// Returns host and port of an address; the port defaults to that of the scheme. A file has none.
fn host_and_port(text: &str) -> Option<(String, u64)> {
    let (scheme, rest) = text.split_once("://").filter(|(scheme, _)| *scheme != "file")?;
    let authority = rest.split(['/', '?']).next().unwrap().rsplit('@').next().unwrap();
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    let port =
        port.map_or_else(|| if ["https", "s3"].contains(&scheme) { 443 } else { 80 }, |port| port.parse().unwrap());
    Some((host.to_owned(), port))
}

/// Returns the addresses in the pods' variables, arguments and files.
pub(crate) fn addresses(manifests: &Manifests, secrets: &Secrets) -> BTreeSet<Edge> {
    let mut edges = BTreeSet::new();
    let mut add = |from: &str, url: &str| {
        if let Some((host, port)) = host_and_port(url) {
            edges.insert((from.to_owned(), host, port));
        }
    };
    for name in manifests.pods().into_keys() {
        for (variable, value) in manifests.environment(name, secrets) {
            if variable == "PUBLIC_URL" {
                // For browsers.
                continue;
            }
            // The only address without a scheme.
            let scheme = if variable == "DATA_SOURCE_URI" { "postgres://" } else { "" };
            add(name, &format!("{scheme}{value}"));
        }
        let arguments = manifests.container(name)["args"].as_array().into_iter().flatten();
        arguments.filter_map(|one| Some(one.as_str()?.split_once('=')?.1)).for_each(|value| add(name, value));
    }
    for upstream in yaml("kong/kong.yml")["services"].as_array().unwrap() {
        add("kong", upstream["url"].as_str().unwrap());
    }
    if manifests.pods().contains_key("prometheus") {
        for target in targets() {
            add("prometheus", &format!("http://{target}"));
        }
        for source in
            yaml("monitoring/grafana/provisioning/datasources/shopfleet.yml")["datasources"].as_array().unwrap()
        {
            add("grafana", source["url"].as_str().unwrap());
        }
        for target in yaml("monitoring/targets/public.yml")[0]["targets"].as_array().unwrap() {
            add("blackbox-exporter", target.as_str().unwrap());
        }
    }
    // Addresses of localhost are for browsers, or for the pod itself.
    edges.retain(|(_, host, _)| host != "127.0.0.1" && host != "localhost");
    edges
}

/// Returns Prometheus' targets in a cluster, as `host:port`.
fn targets() -> Vec<String> {
    let mut found = Vec::new();
    for file in SCRAPES {
        let file = yaml(file);
        let alertmanagers = file["alerting"]["alertmanagers"].as_array().into_iter().flatten();
        for one in file["scrape_configs"].as_array().unwrap().iter().chain(alertmanagers) {
            let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
            for known in list(&one["static_configs"]) {
                found.extend(list(&known["targets"]).iter().map(|target| target.as_str().unwrap().to_owned()));
            }
            for search in list(&one["dns_sd_configs"]) {
                let names = list(&search["names"]);
                found.extend(names.iter().map(|name| format!("{}:{}", name.as_str().unwrap(), search["port"])));
            }
            for rule in list(&one["relabel_configs"]).iter().filter(|rule| rule["target_label"] == "__address__") {
                found.push(rule["replacement"].as_str().unwrap().to_owned());
            }
        }
    }
    found
}

/// Returns the pods behind an address, each with its port. The host is a Service, with or without its namespace.
pub(crate) fn behind(manifests: &Manifests, from: &str, host: &str, port: u64) -> Vec<(String, u64)> {
    let own = Manifests::namespace(manifests.makers()[from]).to_owned();
    let (name, namespace) = host.split_once('.').map_or((host, own.as_str()), |(name, rest)| (name, rest));
    let services = manifests.kind("Service");
    let service = services.get(name).filter(|service| Manifests::namespace(service) == namespace);
    let Some(service) = service else { return Vec::new() };
    let selector = serde_json::json!({"matchLabels": service["spec"]["selector"]});
    let makers = manifests.makers().into_iter().filter(|(_, maker)| Manifests::namespace(maker) == namespace);
    let own = makers.filter(|(_, maker)| covers(&selector, &maker["spec"]["template"]["metadata"]["labels"]));
    let leads = |pod: &str| {
        // A headless Service resolves to the pods, which are reached at their own ports.
        if service["spec"]["clusterIP"] == "None" {
            return Some(port);
        }
        let mut open = service["spec"]["ports"].as_array()?.iter();
        let target = &open.find(|one| one["port"] == port)?["targetPort"];
        target.as_u64().or_else(|| ports(manifests.container(pod)).get(target.as_str()?).copied())
    };
    own.filter_map(|(pod, _)| Some((pod.to_owned(), leads(pod)?))).collect()
}
