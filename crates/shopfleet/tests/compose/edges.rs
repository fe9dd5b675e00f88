//! The network policies against the addresses that the pods are given: each may reach what it has an address of, and
//! nothing else.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::manifests::{Manifests, Secrets, environment, secrets};
use crate::support::yaml;

/// From which pod, to which host, on which port.
type Edge = (String, String, u64);

/// Host and port of an address; the port that its scheme stands for where it names none.
fn host_and_port(text: &str) -> Option<(String, u64)> {
    let (scheme, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?']).next().unwrap().rsplit('@').next().unwrap();
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    let port = port.map_or_else(|| if scheme == "https" { 443 } else { 80 }, |port| port.parse().unwrap());
    Some((host.to_owned(), port))
}

/// Where the pods' variables and arguments lead, and the gateway's file.
fn addresses(manifests: &Manifests, secrets: &Secrets) -> BTreeSet<Edge> {
    let mut edges = BTreeSet::new();
    for name in manifests.pods().keys() {
        let container = manifests.container(name);
        let given = environment(container, secrets).into_values();
        let arguments = container["args"].as_array().into_iter().flatten();
        let arguments = arguments.filter_map(|one| Some(one.as_str()?.split_once('=')?.1.to_owned()));
        for (host, port) in given.chain(arguments).filter_map(|value| host_and_port(&value)) {
            edges.insert(((*name).to_owned(), host, port));
        }
    }
    for upstream in yaml("kong/kong.yml")["services"].as_array().unwrap() {
        let (host, port) = host_and_port(upstream["url"].as_str().unwrap()).unwrap();
        edges.insert(("kong".to_owned(), host, port));
    }
    // What an address says of this machine is for people's browsers.
    edges.retain(|(_, host, _)| host != "127.0.0.1");
    edges
}

fn covers(selector: &Value, labels: &Value) -> bool {
    let fields = selector.as_object().unwrap();
    assert!(fields.keys().all(|field| field == "matchLabels"), "{selector} is not understood here");
    let wanted = selector["matchLabels"].as_object().into_iter().flatten();
    wanted.into_iter().all(|(name, value)| labels[name] == *value)
}

fn opens(rule: &Value, port: u64) -> bool {
    let ports = rule["ports"].as_array();
    ports.is_none_or(|ports| ports.iter().any(|open| open["protocol"] == "TCP" && open["port"] == port))
}

/// Whether a policy of a pod lets it speak (`egress`, `to`) or be spoken to (`ingress`, `from`) by the other one.
fn lets(manifests: &Manifests, (rules, peers): (&str, &str), own: &Value, other: &Value, port: u64) -> bool {
    let policies = manifests.kind("NetworkPolicy");
    let own = policies.values().filter(|policy| covers(&policy["spec"]["podSelector"], own));
    let mut rules = own.flat_map(|policy| policy["spec"][rules].as_array().into_iter().flatten());
    rules.any(|rule| {
        let reaches = rule[peers].as_array().is_none_or(|peers| {
            let mut here = peers.iter().filter(|peer| peer["namespaceSelector"].is_null());
            here.any(|peer| peer["podSelector"].is_object() && covers(&peer["podSelector"], other))
        });
        reaches && opens(rule, port)
    })
}

fn allowed(manifests: &Manifests, from: &str, to: &str, port: u64) -> bool {
    let pods = manifests.pods();
    let labels = |pod: &str| pods[pod]["metadata"]["labels"].clone();
    let (from, to) = (labels(from), labels(to));
    lets(manifests, ("egress", "to"), &from, &to, port) && lets(manifests, ("ingress", "from"), &to, &from, port)
}

#[test]
fn whoever_has_an_address_may_go_there_and_nobody_else() {
    let mut looked = 0;
    for overlay in ["dev", "production"] {
        let manifests = Manifests::of(overlay);
        let mut wanted = addresses(&manifests, &secrets(overlay));
        let pods: Vec<_> = manifests.pods().into_keys().collect();
        if overlay == "dev" {
            // The address of its Redis is two fields of the gateway's file.
            wanted.insert(("kong".to_owned(), "redis".to_owned(), 6379));
            let stray: Vec<_> = wanted.iter().filter(|(_, host, _)| !pods.contains(&host.as_str())).collect();
            assert!(stray.is_empty(), "{stray:?} lead nowhere");
        }
        for from in &pods {
            for to in pods.iter().filter(|to| *to != from) {
                for listens in manifests.container(to)["ports"].as_array().unwrap() {
                    let port = listens["containerPort"].as_u64().unwrap();
                    let edge = ((*from).to_owned(), (*to).to_owned(), port);
                    assert_eq!(allowed(&manifests, from, to, port), wanted.contains(&edge), "{overlay}: {edge:?}");
                    looked += 1;
                }
            }
        }
    }
    assert!(looked > 100, "only {looked} edges were looked at");
}

/// What is outside of the cluster is reached by its port.
#[test]
fn servers_elsewhere_can_be_reached_on_their_ports_alone() {
    let manifests = Manifests::of("production");
    let pods = manifests.pods();
    let outside = addresses(&manifests, &secrets("production"));
    let outside: BTreeSet<_> = outside.into_iter().filter(|(_, host, _)| !pods.contains_key(host.as_str())).collect();
    let policies = manifests.kind("NetworkPolicy");
    let mut opened = BTreeSet::new();
    for (name, pod) in &pods {
        let labels = &pod["metadata"]["labels"];
        let own = policies.values().filter(|policy| covers(&policy["spec"]["podSelector"], labels));
        for rule in own.flat_map(|policy| policy["spec"]["egress"].as_array().into_iter().flatten()) {
            if rule["to"].as_array().is_some_and(|peers| peers.iter().any(|peer| peer["ipBlock"].is_object())) {
                opened.extend(
                    rule["ports"].as_array().unwrap().iter().map(|port| (*name, port["port"].as_u64().unwrap())),
                );
            }
        }
    }
    let mut needed: BTreeSet<_> = outside.iter().map(|(name, _, port)| (name.as_str(), *port)).collect();
    assert!(needed.iter().all(|edge| opened.contains(edge)), "{needed:?} and {opened:?}");
    // The gateway counts in Redis; a broker with TLS listens on a port of its own.
    needed.insert(("kong", 6379));
    let tls: Vec<_> = needed.iter().filter(|(_, port)| *port == 5672).map(|(name, _)| (*name, 5671)).collect();
    needed.extend(tls);
    assert_eq!(opened, needed);
}

/// Nothing is let through but what a policy names; names are found; whoever watches comes in.
#[test]
fn all_is_denied_but_names() {
    let manifests = Manifests::of("production");
    let policies = manifests.kind("NetworkPolicy");
    let deny = &policies["default-deny"]["spec"];
    assert_eq!(deny["podSelector"].as_object().unwrap().len(), 0);
    assert_eq!(deny["policyTypes"].as_array().unwrap().len(), 2);
    assert!(deny["ingress"].is_null() && deny["egress"].is_null());
    let dns = &policies["dns"]["spec"]["egress"][0];
    assert_eq!(dns["to"][0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"], "kube-system");
    let watcher = serde_json::json!({"app": "prometheus"});
    let stranger = serde_json::json!({"app": "stranger"});
    let mut seen = 0;
    for (name, pod) in manifests.pods() {
        let Some(port) = pod["metadata"]["annotations"]["prometheus.io/port"].as_str() else { continue };
        let (labels, port) = (&pod["metadata"]["labels"], port.parse().unwrap());
        assert!(lets(&manifests, ("ingress", "from"), labels, &watcher, port), "{name}: {port}");
        assert!(!lets(&manifests, ("ingress", "from"), labels, &stranger, port), "{name}: {port}");
        seen += 1;
    }
    assert_eq!(seen, 5);
}
