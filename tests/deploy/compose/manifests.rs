//! Kubernetes manifests, and the Secrets that `deploy/k8s-secrets` writes for them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Map, Value};

use crate::support::{documents, root, yaml};

/// Texts by key, by ConfigMap or Secret.
type Texts = BTreeMap<String, BTreeMap<String, String>>;

/// Secrets of an overlay: values by key, by Secret.
pub(crate) type Secrets = Texts;

/// Manifests of a folder or an overlay for `kubectl apply -k`.
pub(crate) struct Manifests {
    /// All objects.
    pub(crate) objects: Vec<Value>,
    /// Its own `kustomization.yaml`.
    pub(crate) kustomization: Map<String, Value>,
    /// Generated ConfigMaps: values by key, by ConfigMap.
    pub(crate) config: Texts,
}

impl Manifests {
    /// Loads `k8s/overlays/<overlay>` with its bases.
    pub(crate) fn of(overlay: &str) -> Self {
        let folder = root().join("k8s/overlays").join(overlay);
        let mut found = Self { objects: Vec::new(), kustomization: kustomization(&folder), config: Texts::new() };
        found.gather(&folder);
        found
    }

    fn gather(&mut self, folder: &Path) {
        let kustomization = kustomization(folder);
        let list = |name: &str| kustomization.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        for resource in list("resources").into_iter().chain(list("components")) {
            let path = folder.join(resource.as_str().unwrap());
            if path.is_dir() {
                self.gather(&path);
            } else {
                self.objects.extend(documents(path.to_str().unwrap()));
            }
        }
        for made in list("configMapGenerator") {
            let own = self.config.entry(made["name"].as_str().unwrap().to_owned()).or_default();
            for literal in made["literals"].as_array().into_iter().flatten() {
                let (key, text) = literal.as_str().unwrap().split_once('=').unwrap();
                own.insert(key.to_owned(), text.to_owned());
            }
            for file in made["files"].as_array().into_iter().flatten() {
                let file = file.as_str().unwrap();
                let (key, path) = file.split_once('=').unwrap_or((file.rsplit('/').next().unwrap(), file));
                let there = own.insert(key.to_owned(), std::fs::read_to_string(folder.join(path)).unwrap());
                // As in kustomize: an existing object is changed only by an explicit patch.
                assert_eq!(there.is_some(), made["behavior"] == "merge", "{path}");
            }
        }
    }

    /// Returns the namespace of an object; default: the fleet's.
    pub(crate) fn namespace(object: &Value) -> &str {
        object["metadata"]["namespace"].as_str().unwrap_or("shopfleet")
    }

    /// Returns the objects of a kind, in all namespaces.
    pub(crate) fn all(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.objects.iter().filter(move |object| object["kind"] == kind)
    }

    /// Returns the objects of a kind, by name.
    pub(crate) fn kind(&self, kind: &str) -> BTreeMap<&str, &Value> {
        self.all(kind).map(|object| (object["metadata"]["name"].as_str().unwrap(), object)).collect()
    }

    /// Returns the workloads, by name.
    pub(crate) fn makers(&self) -> BTreeMap<&str, &Value> {
        ["Deployment", "StatefulSet", "DaemonSet"].into_iter().flat_map(|kind| self.kind(kind)).collect()
    }

    /// Returns the pod templates, by workload.
    pub(crate) fn pods(&self) -> BTreeMap<&str, &Value> {
        self.makers().into_iter().map(|(name, maker)| (name, &maker["spec"]["template"])).collect()
    }

    /// Returns the only container of a pod.
    pub(crate) fn container(&self, pod: &str) -> &Value {
        let pods = self.pods();
        let template = pods.get(pod).unwrap_or_else(|| panic!("there is no pod {pod}"));
        let containers = template["spec"]["containers"].as_array().unwrap();
        assert_eq!(containers.len(), 1, "{pod}");
        &containers[0]
    }

    /// Returns the variables of a pod's container, with values from Secrets and ConfigMaps.
    pub(crate) fn environment(&self, pod: &str, secrets: &Secrets) -> BTreeMap<String, String> {
        let mut environment = BTreeMap::new();
        for variable in self.container(pod)["env"].as_array().into_iter().flatten() {
            let name = variable["name"].as_str().unwrap();
            let from = &variable["valueFrom"];
            let named = |texts: &Texts, reference: &Value| {
                let keys = texts.get(reference["name"].as_str().unwrap())?;
                keys.get(reference["key"].as_str().unwrap()).cloned()
            };
            let value = if let Some(value) = variable["value"].as_str() {
                value.to_owned()
            } else if from["secretKeyRef"].is_object() {
                named(secrets, &from["secretKeyRef"]).unwrap_or_else(|| panic!("{name}: {from} is not written"))
            } else if let Some(value) = named(&self.config, &from["configMapKeyRef"]) {
                value
            } else {
                assert_eq!(from["configMapKeyRef"]["optional"], true, "{name} has no value");
                continue;
            };
            environment.insert(name.to_owned(), value);
        }
        environment
    }
}

fn kustomization(folder: &Path) -> Map<String, Value> {
    let path = folder.join("kustomization.yaml");
    yaml(path.to_str().unwrap()).as_object().unwrap().clone()
}

/// Runs `deploy/k8s-secrets` for an overlay into a new folder.
pub(crate) fn write_secrets(overlay: &str, folder: &Path) -> Output {
    Command::new(root().join("deploy/k8s-secrets")).arg(overlay).arg(folder).output().unwrap()
}

/// Returns the Secrets that an overlay's kustomization generates from new files, each of which is used.
pub(crate) fn secrets(overlay: &str) -> Secrets {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("secrets");
    let output = write_secrets(overlay, &folder);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut unused: BTreeSet<_> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let mut read = |path: &Value| {
        let name = path.as_str().unwrap().strip_prefix("secrets/").unwrap().to_owned();
        unused.remove(&name);
        std::fs::read_to_string(folder.join(&name)).unwrap_or_else(|error| panic!("{overlay}: {name}: {error}"))
    };
    let mut secrets = Secrets::new();
    for made in Manifests::of(overlay).kustomization["secretGenerator"].as_array().unwrap() {
        let mut keys = BTreeMap::new();
        for path in made["envs"].as_array().into_iter().flatten() {
            let text = read(path);
            let pairs = text.lines().map(|line| line.split_once('=').unwrap());
            keys.extend(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())));
        }
        for file in made["files"].as_array().into_iter().flatten() {
            let (key, path) = file.as_str().unwrap().split_once('=').unwrap();
            keys.insert(key.to_owned(), read(&Value::from(path)));
        }
        secrets.insert(made["name"].as_str().unwrap().to_owned(), keys);
    }
    assert!(unused.is_empty(), "{overlay}: {unused:?} are not used");
    secrets
}

/// Returns the Secret keys that a pod references, in variables and files, as `(secret, key)`.
pub(crate) fn keys(pod: &Value) -> Vec<(&str, &str)> {
    let containers = pod["spec"]["containers"].as_array().unwrap().iter();
    let named = containers.flat_map(|container| container["env"].as_array().into_iter().flatten());
    let named = named.map(|variable| &variable["valueFrom"]["secretKeyRef"]).filter(|key| !key.is_null());
    let named = named.map(|key| (key["name"].as_str().unwrap(), key["key"].as_str().unwrap()));
    let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten().map(|volume| &volume["secret"]);
    let files = volumes.filter(|secret| !secret.is_null()).flat_map(|secret| {
        let items = secret["items"].as_array().unwrap().iter();
        items.map(|item| (secret["secretName"].as_str().unwrap(), item["key"].as_str().unwrap()))
    });
    named.chain(files).collect()
}

/// Returns the names of a container's variables, including those of optional sources.
pub(crate) fn names(container: &Value) -> BTreeSet<String> {
    let named = container["env"].as_array().into_iter().flatten();
    let names: Vec<_> = named.map(|variable| variable["name"].as_str().unwrap().to_owned()).collect();
    let count = names.len();
    let names: BTreeSet<_> = names.into_iter().collect();
    assert_eq!(names.len(), count, "a variable stands twice in {container}");
    names
}
