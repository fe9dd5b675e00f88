//! The manifests for Kubernetes as their files say them, and the Secrets that `deploy/k8s-secrets` writes for them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Map, Value};

use crate::support::{documents, root, yaml};

/// The Secrets of an overlay: what stands under each key, by the Secret's name.
pub(crate) type Secrets = BTreeMap<String, BTreeMap<String, String>>;

/// What is in a folder, or in an overlay, that `kubectl apply -k` takes.
pub(crate) struct Manifests {
    /// All objects.
    pub(crate) objects: Vec<Value>,
    /// Its own `kustomization.yaml`.
    pub(crate) kustomization: Map<String, Value>,
}

impl Manifests {
    /// Those of `k8s/overlays/<overlay>` and of all that it builds on.
    pub(crate) fn of(overlay: &str) -> Self {
        let folder = root().join("k8s/overlays").join(overlay);
        let mut objects = Vec::new();
        gather(&folder, &mut objects);
        Self { objects, kustomization: kustomization(&folder) }
    }

    /// The objects of a kind, by name.
    pub(crate) fn kind(&self, kind: &str) -> BTreeMap<&str, &Value> {
        let own = self.objects.iter().filter(|object| object["kind"] == kind);
        own.map(|object| (object["metadata"]["name"].as_str().unwrap(), object)).collect()
    }

    /// The templates of all pods, by the name of what makes them.
    pub(crate) fn pods(&self) -> BTreeMap<&str, &Value> {
        let makers = ["Deployment", "StatefulSet", "DaemonSet"].into_iter().flat_map(|kind| self.kind(kind));
        makers.map(|(name, maker)| (name, &maker["spec"]["template"])).collect()
    }

    /// The one container of a pod.
    pub(crate) fn container(&self, pod: &str) -> &Value {
        let pods = self.pods();
        let template = pods.get(pod).unwrap_or_else(|| panic!("there is no pod {pod}"));
        let containers = template["spec"]["containers"].as_array().unwrap();
        assert_eq!(containers.len(), 1, "{pod}");
        &containers[0]
    }
}

fn kustomization(folder: &Path) -> Map<String, Value> {
    let path = folder.join("kustomization.yaml");
    yaml(path.to_str().unwrap()).as_object().unwrap().clone()
}

fn gather(folder: &Path, objects: &mut Vec<Value>) {
    for resource in kustomization(folder).get("resources").and_then(Value::as_array).into_iter().flatten() {
        let path = folder.join(resource.as_str().unwrap());
        if path.is_dir() {
            gather(&path, objects);
        } else {
            objects.extend(documents(path.to_str().unwrap()));
        }
    }
}

/// Runs `deploy/k8s-secrets` for an overlay, into a folder that is not there yet.
pub(crate) fn write_secrets(overlay: &str, folder: &Path) -> Output {
    Command::new(root().join("deploy/k8s-secrets")).arg(overlay).arg(folder).output().unwrap()
}

/// The Secrets of an overlay as its kustomization makes them from fresh files. Each file is used.
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
    assert!(unused.is_empty(), "{overlay}: {unused:?} are written for nobody");
    secrets
}

/// The Secrets' keys that a container's variables name, as `(secret, key)`.
pub(crate) fn keys(container: &Value) -> Vec<(&str, &str)> {
    let named = container["env"].as_array().into_iter().flatten();
    let named = named.map(|variable| &variable["valueFrom"]["secretKeyRef"]).filter(|key| !key.is_null());
    named.map(|key| (key["name"].as_str().unwrap(), key["key"].as_str().unwrap())).collect()
}

/// The names of the variables that a container is given, those too that come from what need not be there.
pub(crate) fn names(container: &Value) -> BTreeSet<String> {
    let named = container["env"].as_array().into_iter().flatten();
    let names: Vec<_> = named.map(|variable| variable["name"].as_str().unwrap().to_owned()).collect();
    let count = names.len();
    let names: BTreeSet<_> = names.into_iter().collect();
    assert_eq!(names.len(), count, "a variable stands twice in {container}");
    names
}

/// The variables of a container, with what its Secrets say.
pub(crate) fn environment(container: &Value, secrets: &Secrets) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::new();
    for variable in container["env"].as_array().into_iter().flatten() {
        let name = variable["name"].as_str().unwrap();
        let from = &variable["valueFrom"];
        let value = if let Some(value) = variable["value"].as_str() {
            value
        } else if let Some(secret) = from["secretKeyRef"].as_object() {
            let (secret, key) = (secret["name"].as_str().unwrap(), secret["key"].as_str().unwrap());
            let value = secrets.get(secret).and_then(|keys| keys.get(key));
            value.unwrap_or_else(|| panic!("{name}: nobody writes {key} of {secret}"))
        } else {
            assert_eq!(from["configMapKeyRef"]["optional"], true, "{name} has no value");
            continue;
        };
        environment.insert(name.to_owned(), value.to_owned());
    }
    environment
}
