//! Network policies against the addresses in the pods' configuration: each pod may reach exactly these.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::addresses::{Edge, addresses, behind};
use super::kubernetes::ports;
use super::manifests::{Manifests, secrets};

/// Returns whether a selector matches a pod with these labels.
pub(crate) fn covers(selector: &Value, labels: &Value) -> bool {
    let fields = selector.as_object().unwrap();
    assert!(fields.keys().all(|field| field == "matchLabels"), "{selector} is not understood here");
    let wanted = selector["matchLabels"].as_object().into_iter().flatten();
    wanted.into_iter().all(|(name, value)| labels[name] == *value)
}

fn opens(rule: &Value, port: u64) -> bool {
    let ports = rule["ports"].as_array();
    ports.is_none_or(|ports| ports.iter().any(|open| open["protocol"] == "TCP" && open["port"] == port))
}

/// Pod as a policy sees it: namespace and labels.
#[derive(Clone, Copy)]
struct Known<'a> {
    namespace: &'a str,
    labels: &'a Value,
}

fn known<'a>(manifests: &Manifests, pod: &'a str, makers: &'a BTreeMap<&str, &Value>) -> Known<'a> {
    let maker = makers[pod];
    let namespace = Manifests::namespace(maker);
    assert!(manifests.kind("Namespace").contains_key(namespace), "{pod} is in {namespace}, which does not exist");
    Known { namespace, labels: &maker["spec"]["template"]["metadata"]["labels"] }
}

/// Returns whether a policy of a pod allows traffic to (`egress`, `to`) or from (`ingress`, `from`) another.
fn lets(manifests: &Manifests, (rules, peers): (&str, &str), own: Known<'_>, other: Known<'_>, port: u64) -> bool {
    let policies = manifests.all("NetworkPolicy").filter(|policy| Manifests::namespace(policy) == own.namespace);
    let own_ones = policies.filter(|policy| covers(&policy["spec"]["podSelector"], own.labels));
    let mut rules = own_ones.flat_map(|policy| policy["spec"][rules].as_array().into_iter().flatten());
    let there = |peer: &Value| match &peer["namespaceSelector"] {
        Value::Null => other.namespace == own.namespace,
        selector => covers(selector, &serde_json::json!({"kubernetes.io/metadata.name": other.namespace})),
    };
    let meant = |peer: &Value| peer["podSelector"].is_null() || covers(&peer["podSelector"], other.labels);
    rules.any(|rule| {
        let mut peers = rule[peers].as_array().map(|peers| peers.iter().filter(|peer| peer["ipBlock"].is_null()));
        peers.as_mut().is_none_or(|peers| peers.any(|peer| there(peer) && meant(peer))) && opens(rule, port)
    })
}

fn allowed(manifests: &Manifests, from: &str, to: &str, port: u64) -> bool {
    let makers = manifests.makers();
    let (from, to) = (known(manifests, from, &makers), known(manifests, to, &makers));
    lets(manifests, ("egress", "to"), from, to, port) && lets(manifests, ("ingress", "from"), to, from, port)
}

#[test]
fn network_policies_allow_exactly_the_configured_addresses() {
    let mut looked = 0;
    for overlay in ["dev", "production"] {
        let manifests = Manifests::of(overlay);
        let mut named = addresses(&manifests, &secrets(overlay));
        if overlay == "dev" {
            // The address of its Redis is split into two fields of the gateway's file.
            named.insert(("kong".to_owned(), "redis".to_owned(), 6379));
        }
        let mut wanted = BTreeSet::new();
        for (from, host, port) in named {
            let pods = behind(&manifests, &from, &host, port);
            assert!(overlay == "production" || !pods.is_empty(), "{from}: {host}:{port} leads nowhere");
            wanted.extend(pods.into_iter().map(|(to, port)| (from.clone(), to, port)));
        }
        let pods: Vec<_> = manifests.pods().into_keys().collect();
        for from in &pods {
            for to in pods.iter().filter(|to| *to != from) {
                for port in ports(manifests.container(to)).into_values() {
                    let edge = ((*from).to_owned(), (*to).to_owned(), port);
                    assert_eq!(allowed(&manifests, from, to, port), wanted.contains(&edge), "{overlay}: {edge:?}");
                    looked += 1;
                }
            }
        }
    }
    assert!(looked > 500, "only {looked} edges were looked at");
}

/// With all servers in the cluster, only the notifier may leave it, by HTTPS.
#[test]
fn only_the_alertmanager_may_leave_the_cluster() {
    let manifests = Manifests::of("dev");
    let mut leaving = Vec::new();
    for policy in manifests.all("NetworkPolicy") {
        for rule in policy["spec"]["egress"].as_array().into_iter().flatten() {
            let outside =
                rule["to"].as_array().is_none_or(|peers| peers.iter().any(|peer| peer["ipBlock"].is_object()));
            if outside {
                leaving.push((policy["metadata"]["name"].as_str().unwrap(), rule["ports"].clone()));
            }
        }
    }
    assert_eq!(leaving, [("alertmanager", serde_json::json!([{"protocol": "TCP", "port": 443}]))]);
}

/// External servers are reachable by port.
#[test]
fn external_servers_are_reachable_on_their_ports_only() {
    let manifests = Manifests::of("production");
    let pods = manifests.pods();
    let outside = addresses(&manifests, &secrets("production"));
    let elsewhere = |(from, host, port): &Edge| behind(&manifests, from, host, *port).is_empty();
    let outside: BTreeSet<_> = outside.into_iter().filter(elsewhere).collect();
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
    // The gateway counts in Redis; a broker with TLS has another port.
    needed.insert(("kong", 6379));
    let tls: Vec<_> = needed.iter().filter(|(_, port)| *port == 5672).map(|(name, _)| (*name, 5671)).collect();
    needed.extend(tls);
    assert_eq!(opened, needed);
}

/// Only policies allow traffic, besides DNS and scrapes.
#[test]
fn all_traffic_but_dns_is_denied_by_default() {
    let (dev, manifests) = (Manifests::of("dev"), Manifests::of("production"));
    let namespaces = dev.makers().into_values().map(Manifests::namespace).collect::<BTreeSet<_>>();
    assert_eq!(namespaces, ["shopfleet", "shopfleet-logs"].into());
    for namespace in namespaces {
        let policy = |name: &str| {
            let mut policies = dev.all("NetworkPolicy").filter(|policy| Manifests::namespace(policy) == namespace);
            policies.find(|policy| policy["metadata"]["name"] == name).unwrap()
        };
        let deny = &policy("default-deny")["spec"];
        assert_eq!(deny["podSelector"].as_object().unwrap().len(), 0);
        assert_eq!(deny["policyTypes"].as_array().unwrap().len(), 2);
        assert!(deny["ingress"].is_null() && deny["egress"].is_null());
        let dns = &policy("dns")["spec"]["egress"][0];
        assert_eq!(dns["to"][0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"], "kube-system");
    }
    let watcher = serde_json::json!({"app": "prometheus"});
    let stranger = serde_json::json!({"app": "stranger"});
    let mut seen = 0;
    for (name, pod) in manifests.pods() {
        let Some(port) = pod["metadata"]["annotations"]["prometheus.io/port"].as_str() else { continue };
        let (labels, port) = (&pod["metadata"]["labels"], port.parse().unwrap());
        let here = |labels| Known { namespace: "shopfleet", labels };
        assert!(lets(&manifests, ("ingress", "from"), here(labels), here(&watcher), port), "{name}: {port}");
        assert!(!lets(&manifests, ("ingress", "from"), here(labels), here(&stranger), port), "{name}: {port}");
        seen += 1;
    }
    assert_eq!(seen, 5);
}
