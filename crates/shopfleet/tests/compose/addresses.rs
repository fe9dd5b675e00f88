//! Where the pods' variables, arguments and files lead.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::edges::covers;
use crate::kubernetes::ports;
use crate::manifests::{Manifests, Secrets};
use crate::support::yaml;

/// What Prometheus asks in a cluster: its own file, and the one that comes with the exporters.
pub(crate) const SCRAPES: [&str; 2] =
    ["k8s/components/observability/scrape.yml", "k8s/components/exporters/scrape.yml"];

/// From which pod, to which host, on which port.
pub(crate) type Edge = (String, String, u64);

/// Host and port of an address; the port that its scheme stands for where it names none.
fn host_and_port(text: &str) -> Option<(String, u64)> {
    let (scheme, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?']).next().unwrap().rsplit('@').next().unwrap();
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    let port = port.map_or_else(|| if scheme == "https" { 443 } else { 80 }, |port| port.parse().unwrap());
    Some((host.to_owned(), port))
}

/// Where the pods' variables and arguments lead, and the files of those that find others by files.
pub(crate) fn addresses(manifests: &Manifests, secrets: &Secrets) -> BTreeSet<Edge> {
    let mut edges = BTreeSet::new();
    let mut add = |from: &str, url: &str| {
        if let Some((host, port)) = host_and_port(url) {
            edges.insert((from.to_owned(), host, port));
        }
    };
    for name in manifests.pods().into_keys() {
        for (variable, value) in manifests.environment(name, secrets) {
            // The one address that names no scheme.
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
    // What an address says of this machine is for people's browsers, or for the pod itself.
    edges.retain(|(_, host, _)| host != "127.0.0.1" && host != "localhost");
    edges
}

/// What Prometheus asks in a cluster, as `host:port`.
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

/// The pods that an address leads to, each with the port that it is reached at: by the name of a Service, with that of its
/// namespace or without.
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
        // Without an address of its own it is a name of the pods, which are reached at their own ports.
        if service["spec"]["clusterIP"] == "None" {
            return Some(port);
        }
        let mut open = service["spec"]["ports"].as_array()?.iter();
        let target = &open.find(|one| one["port"] == port)?["targetPort"];
        target.as_u64().or_else(|| ports(manifests.container(pod)).get(target.as_str()?).copied())
    };
    own.filter_map(|(pod, _)| Some((pod.to_owned(), leads(pod)?))).collect()
}
