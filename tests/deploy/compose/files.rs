//! Mounted files of Compose containers and pods: the same content at the same paths.

use std::collections::BTreeMap;
use std::path::Path;

use super::file::services;
use super::manifests::Manifests;
use crate::support::root;

type Files = BTreeMap<String, String>;

/// Returns the files below a path of the repository, by path in the container, without kustomize's own.
fn gather(source: &Path, inside: &str, files: &mut Files) {
    if source.is_file() {
        files.insert(inside.to_owned(), std::fs::read_to_string(source).unwrap());
        return;
    }
    for entry in std::fs::read_dir(source).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name != "kustomization.yaml" {
            gather(&source.join(&name), &format!("{inside}/{name}"), files);
        }
    }
}

fn of_container(name: &str) -> Files {
    let mut files = Files::new();
    for volume in services()[name]["volumes"].as_array().into_iter().flatten() {
        let [source, inside, _] = volume.as_str().unwrap().split(':').collect::<Vec<_>>()[..] else { continue };
        if let Some(path) = source.strip_prefix("./") {
            gather(&root().join(path), inside, &mut files);
        }
    }
    files
}

/// Returns the files that ConfigMaps mount into a pod's container, including optional ones that exist.
fn of_pod(manifests: &Manifests, name: &str) -> Files {
    let mut files = Files::new();
    let volumes = manifests.pods()[name]["spec"]["volumes"].as_array().cloned().unwrap_or_default();
    for mount in manifests.container(name)["volumeMounts"].as_array().into_iter().flatten() {
        let Some(volume) = volumes.iter().find(|volume| volume["name"] == mount["name"]) else { continue };
        let Some(map) = volume["configMap"]["name"].as_str() else { continue };
        let path = mount["mountPath"].as_str().unwrap();
        let texts = manifests.config.get(map).unwrap_or_else(|| panic!("{name}: no ConfigMap {map}"));
        match mount["subPath"].as_str() {
            Some(key) => drop(files.insert(path.to_owned(), texts[key].clone())),
            None => files.extend(texts.iter().map(|(key, text)| (format!("{path}/{key}"), text.clone()))),
        }
    }
    files
}

/// Except three of Prometheus: targets are discovered differently in a cluster, and limits belong to the manifests.
#[test]
fn pods_and_containers_mount_the_same_files() {
    let manifests = Manifests::of("dev");
    let own =
        ["/etc/prometheus/prometheus.yml", "/etc/prometheus/rules/limits.yml", "/etc/prometheus/servers/servers.yml"];
    let mut seen = 0;
    for name in manifests.pods().keys() {
        let (mut compose, mut pod) = (of_container(name), of_pod(&manifests, name));
        for path in own.iter().filter(|_| *name == "prometheus") {
            assert_ne!(compose.remove(*path), pod.remove(*path), "{path} need not be the cluster's own");
        }
        assert_eq!(compose.keys().collect::<Vec<_>>(), pod.keys().collect::<Vec<_>>(), "{name}");
        for (path, text) in compose {
            assert_eq!(pod[&path].trim_end(), text.trim_end(), "{name}: {path}");
            seen += 1;
        }
    }
    assert!(seen >= 28, "only {seen} files were seen");
}

/// The ConfigMap's modes make scripts executable.
#[test]
fn scripts_are_executable() {
    let manifests = Manifests::of("dev");
    for name in ["elasticsearch-setup", "postgres"] {
        let volumes = manifests.pods()[name]["spec"]["volumes"].as_array().unwrap().clone();
        let holds = |map: &str| manifests.config[map].keys().any(|key| key.ends_with(".sh"));
        let script = volumes.iter().find(|volume| volume["configMap"]["name"].as_str().is_some_and(holds)).unwrap();
        assert_eq!(script["configMap"]["defaultMode"], 0o555, "{name}");
    }
}
