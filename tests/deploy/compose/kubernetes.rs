//! Kubernetes manifests against Compose and the services: names, ports, images, paths, secrets.

use std::collections::{BTreeMap, BTreeSet};

use common::config::ServiceName;
use common::runtime::DRAIN_TIMEOUT;
use serde_json::{Map, Value};

use super::build::{exposed, variables_of_images};
use super::file::{env, environment as in_compose, services};
use super::manifests::{Manifests, keys, names, secrets, write_secrets};
use super::services::{port_of, starts};
use crate::support::{read, root, yaml_text};

const OVERLAYS: [&str; 2] = ["dev", "production"];

/// Returns the ports of a container, by name.
pub(crate) fn ports(container: &Value) -> BTreeMap<&str, u64> {
    let ports = container["ports"].as_array().into_iter().flatten();
    ports.map(|port| (port["name"].as_str().unwrap(), port["containerPort"].as_u64().unwrap())).collect()
}

#[test]
fn services_have_complete_configurations_and_consistent_ports() {
    for overlay in OVERLAYS {
        let (manifests, secrets) = (Manifests::of(overlay), secrets(overlay));
        for name in ServiceName::ALL {
            let container = manifests.container(name.as_str());
            let mut variables = variables_of_images();
            variables.extend(manifests.environment(name.as_str(), &secrets));
            let port = port_of(*name, variables.clone());
            let expected = BTreeMap::from([("http", u64::from(port))]);
            assert_eq!(ports(container), expected, "{name}");
            assert_eq!(exposed(name.as_str()), port.to_string(), "{name}: the image");
            let compose = in_compose(&services()[name.as_str()], &env());
            assert_eq!(compose["PORT"], port.to_string(), "{name}: Compose");
            // A service does not start without the address of each service that it calls.
            for peer in ServiceName::ALL.iter().filter(|peer| variables.contains_key(peer.env())) {
                let service = manifests.kind("Service")[peer.as_str()];
                let url = format!("http://{peer}:{}", service["spec"]["ports"][0]["port"]);
                assert_eq!(variables[peer.env()], url, "{name}");
            }
        }
    }
}

#[test]
fn services_have_only_the_addresses_that_they_call() {
    let (manifests, secrets) = (Manifests::of("dev"), secrets("dev"));
    for name in ServiceName::ALL {
        let variables = manifests.environment(name.as_str(), &secrets);
        for peer in ServiceName::ALL.iter().filter(|peer| variables.contains_key(peer.env())) {
            let mut without = variables.clone();
            without.remove(peer.env());
            let error = starts(*name, without).err().unwrap_or_else(|| panic!("{name} starts without {}", peer.env()));
            assert!(error.to_string().starts_with(peer.env()), "{name}: {error}");
        }
    }
}

/// Deployment, pod, Service, autoscaler, disruption budget and account have the service's name.
#[test]
fn names_match_the_services() {
    let manifests = Manifests::of("production");
    let names: Vec<_> = ServiceName::ALL.iter().map(|name| name.as_str()).chain(["kong"]).collect();
    for name in names {
        for kind in ["Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "ServiceAccount"] {
            let kinds = manifests.kind(kind);
            let object = kinds.get(name).unwrap_or_else(|| panic!("there is no {kind} {name}"));
            assert_eq!(object["metadata"]["labels"]["app"], name, "{kind}");
            let spec = &object["spec"];
            let selector = if kind == "Service" { &spec["selector"] } else { &spec["selector"]["matchLabels"] };
            assert!(selector.is_null() || selector["app"] == name, "{kind} {name} selects {selector}");
            assert!(spec["scaleTargetRef"].is_null() || spec["scaleTargetRef"]["name"] == name, "{kind} {name}");
        }
        let pod = manifests.pods()[name];
        assert_eq!(
            (&pod["metadata"]["labels"]["app"], &pod["spec"]["serviceAccountName"]),
            (&name.into(), &name.into())
        );
        let port = &manifests.kind("Service")[name]["spec"]["ports"][0];
        let container = manifests.container(name);
        let listens = ports(container)[port["targetPort"].as_str().unwrap()];
        assert_eq!(port["port"], listens, "{name}");
    }
}

#[test]
fn images_match_compose() {
    let manifests = Manifests::of("dev");
    let compose = services();
    for name in manifests.pods().keys() {
        assert_eq!(manifests.container(name)["image"], compose[*name]["image"], "{name}");
    }
    let toml = read("Cargo.toml");
    let version = toml.lines().find_map(|line| line.strip_prefix("version = ")).unwrap().trim_matches('"');
    for (name, service) in &compose {
        let image = service["image"].as_str().unwrap();
        if let Some((_, tag)) = image.strip_prefix("shopfleet/").and_then(|rest| rest.split_once(':')) {
            assert_eq!(tag, version, "{name}: the workspace's version");
        }
    }
    let production = Manifests::of("production").kustomization;
    let changed: BTreeSet<_> =
        production["images"].as_array().unwrap().iter().map(|image| image["name"].to_string()).collect();
    let own = ServiceName::ALL.iter().map(|name| format!("\"shopfleet/{name}\"")).collect();
    assert_eq!(changed, own, "each image of the fleet can be had from elsewhere");
}

/// Variables that both places set without a secret have the same value.
#[test]
fn pods_and_containers_have_the_same_environment() {
    let manifests = Manifests::of("dev");
    let compose = services();
    let found_otherwise = ["CONSUL_URL", "ADVERTISE_HOST", "TRUSTED_PROXIES", "KONG_TRUSTED_IPS"];
    let only_in_pods = ["PGDATA", "KONG_PREFIX", "RABBITMQ_NODENAME"];
    for name in manifests.pods().keys() {
        let container = manifests.container(name);
        let none = Map::new();
        let there = compose[*name]["environment"].as_object().unwrap_or(&none);
        let expected: BTreeSet<_> =
            there.keys().filter(|name| !found_otherwise.contains(&name.as_str())).cloned().collect();
        let own = |variable: &String| {
            let of_a_peer = ServiceName::ALL.iter().any(|peer| peer.env() == variable);
            !of_a_peer && !found_otherwise.iter().chain(&only_in_pods).any(|other| other == variable)
        };
        let given: BTreeSet<_> = names(container).into_iter().filter(own).collect();
        assert_eq!(given, expected, "{name}");
        for variable in container["env"].as_array().into_iter().flatten() {
            let (variable, value) = (variable["name"].as_str().unwrap(), variable["value"].as_str());
            let Some(value) = value.filter(|_| expected.contains(variable)) else { continue };
            let text = there[variable].as_str().map_or_else(|| there[variable].to_string(), str::to_owned);
            // Compose escapes a dollar by doubling it.
            let text = text.replace("$$", "$");
            // Filebeat names the fleet's namespace from its own.
            assert_eq!(value.replace(".shopfleet:", ":"), text, "{name}: {variable}");
        }
        // Redis gets a shell command, which is written differently there.
        if *name != "redis" {
            let of_the_pod = (&container["command"], &container["args"]);
            assert_eq!(of_the_pod, (&compose[*name]["entrypoint"], &compose[*name]["command"]), "{name}");
        }
    }
    let redis = compose["redis"]["command"][2].as_str().unwrap().replace("$$", "$");
    assert_eq!(manifests.container("redis")["args"][0], redis);
}

#[test]
fn probes_use_existing_endpoints_and_differ() {
    let served = read("crates/common/src/http/health.rs");
    let manifests = Manifests::of("production");
    for name in ServiceName::ALL {
        let pod = manifests.pods()[name.as_str()];
        let container = manifests.container(name.as_str());
        let probe = |kind: &str| {
            let ask = &container[kind]["httpGet"];
            assert_eq!(ask["port"], "http", "{name}: {kind}");
            let path = ask["path"].as_str().unwrap();
            assert!(served.contains(&format!(".route(\"{path}\"")), "{name} does not serve {path}");
            let patience = container[kind]["periodSeconds"].as_u64().unwrap()
                * container[kind]["failureThreshold"].as_u64().unwrap();
            (path.to_owned(), patience)
        };
        let (started, ready, live) = (probe("startupProbe"), probe("readinessProbe"), probe("livenessProbe"));
        assert_eq!((ready.0.as_str(), live.0.as_str()), ("/health/ready", "/health/live"), "{name}");
        assert_eq!(started.0, ready.0, "{name}");
        // Readiness fails before liveness, and startup may take long.
        assert!(ready.1 < live.1 && live.1 <= started.1, "{name}: {started:?}, {ready:?}, {live:?}");
        let before = container["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap();
        let granted = pod["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap();
        assert!(granted > before + DRAIN_TIMEOUT.as_secs() + 2, "{name}: {granted} s to end in");
    }
}

/// Returns the largest number of instances of a service in an overlay.
fn most_instances(manifests: &Manifests, name: &str) -> u64 {
    let mut most = manifests.kind("HorizontalPodAutoscaler")[name]["spec"]["maxReplicas"].as_u64().unwrap();
    for patch in manifests.kustomization.get("patches").and_then(Value::as_array).into_iter().flatten() {
        // The name is a regular expression: one name, or `(one|another)-service`.
        let target = patch["target"]["name"].as_str().unwrap();
        let names = target.strip_suffix("-service").unwrap_or_default().trim_matches(['(', ')']).split('|');
        let matches = names.into_iter().any(|short| name.strip_suffix("-service") == Some(short));
        if patch["target"]["kind"] == "HorizontalPodAutoscaler" && matches {
            let patched = yaml_text(patch["patch"].as_str().unwrap());
            let mut operations = patched.as_array().unwrap().iter();
            let replaced = operations.find(|operation| operation["path"] == "/spec/maxReplicas");
            most = replaced.and_then(|operation| operation["value"].as_u64()).unwrap_or(most);
        }
    }
    most
}

/// Instances of the product service share their pictures: those in a directory are one instance's.
#[test]
fn pictures_in_a_directory_are_of_one_instance() {
    let mut directories = 0;
    for overlay in OVERLAYS {
        let (manifests, secrets) = (Manifests::of(overlay), secrets(overlay));
        let url = manifests.environment("product-service", &secrets)["MEDIA_URL"].clone();
        let instances = most_instances(&manifests, "product-service");
        if url.starts_with("file:") {
            assert_eq!(instances, 1, "{overlay}: {url}");
            assert!(manifests.kind("PersistentVolumeClaim").contains_key("product-media"), "{overlay}");
            directories += 1;
        } else {
            assert!(url.starts_with("s3://") && instances > 1, "{overlay}: {url}, {instances} instances");
        }
    }
    assert_eq!(directories, 1);
}

/// The image's user is numeric: the kubelet can verify only numbers to be other than root.
#[test]
fn pods_run_as_the_image_user() {
    assert!(read("deploy/Dockerfile").contains(":nonroot AS base"));
    let manifests = Manifests::of("dev");
    for (name, pod) in manifests.pods() {
        if manifests.container(name)["image"].as_str().unwrap().starts_with("shopfleet/") {
            assert_eq!(pod["spec"]["securityContext"]["runAsUser"], 65532, "{name}: distroless' nonroot");
        }
    }
}

/// A volume retains the modes of its owner: the databases reject files readable by others.
#[test]
fn volumes_retain_file_modes() {
    let manifests = Manifests::of("dev");
    for (name, maker) in manifests.kind("StatefulSet") {
        let security = &maker["spec"]["template"]["spec"]["securityContext"];
        assert!(security["fsGroup"].is_u64(), "{name} cannot write to its volume");
        assert_eq!(security["fsGroupChangePolicy"], "OnRootMismatch", "{name}: modes are changed at each start");
    }
}

#[test]
fn secret_keys_are_written_and_read() {
    for overlay in OVERLAYS {
        let (manifests, secrets) = (Manifests::of(overlay), secrets(overlay));
        let written: BTreeSet<_> = secrets
            .iter()
            .flat_map(|(secret, keys)| keys.keys().map(move |key| (secret.as_str(), key.as_str())))
            .collect();
        let read: BTreeSet<_> = manifests.pods().into_values().flat_map(keys).collect();
        assert_eq!(written, read, "{overlay}");
        let user = &secrets["user-service-secrets"]["client-credentials"];
        for name in [ServiceName::Product, ServiceName::Order, ServiceName::Payment] {
            let own = &secrets[&format!("{name}-secrets")];
            assert_eq!(own["client-id"], name.as_str());
            let scopes: Vec<_> = name.scopes().iter().map(|scope| scope.as_str()).collect();
            let client = format!("{name}:{}:{}", own["client-secret"], scopes.join("+"));
            assert!(user.split(',').any(|known| known == client), "{overlay}: {name}");
        }
    }
}

#[test]
fn secrets_are_random_private_and_never_overwritten() {
    use std::os::unix::fs::PermissionsExt as _;
    let (one, other) = (secrets("dev"), secrets("dev"));
    for (name, keys) in &one {
        for (key, value) in keys {
            if ["password", "secret", "key", "credentials"].iter().any(|part| key.contains(part)) {
                assert_ne!(value, &other[name][key], "{name}: {key} is the same each time");
                assert!(value.len() >= 32, "{name}: {key} is short");
            }
        }
    }
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("secrets");
    assert!(write_secrets("production", &folder).status.success());
    for entry in std::fs::read_dir(&folder).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
    }
    let rejected = write_secrets("production", &folder);
    assert_eq!(rejected.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&rejected.stderr).contains("exists"));
    let ignored = std::fs::read_to_string(root().join(".gitignore")).unwrap();
    assert!(ignored.lines().any(|line| line == "/k8s/overlays/*/secrets*/"), "secrets could be committed");
}

/// Files applied by themselves are part of the overlays.
#[test]
fn service_can_be_applied_by_itself() {
    for name in ServiceName::ALL {
        let file = format!("{name}-deployment.yml");
        let alone = read(&format!("k8s/{file}"));
        assert_eq!(alone, read(&format!("k8s/base/{file}")), "{name}");
        let secret = format!("kubectl create secret generic {name}-secrets --from-env-file=");
        assert!(alone.contains(&secret), "{name} does not say where its Secret comes from");
    }
}
