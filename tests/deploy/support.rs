//! Files of the repository.

use std::path::PathBuf;

use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::{Map, Value};

/// Returns the repository's root.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Reads a file.
pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Parses a YAML file of one document, with aliases and merges resolved.
pub(crate) fn yaml(path: &str) -> Value {
    let documents = documents(path);
    assert_eq!(documents.len(), 1, "{path} has more than one document");
    documents.into_iter().next().unwrap()
}

/// Parses the documents of a YAML file.
pub(crate) fn documents(path: &str) -> Vec<Value> {
    let text = read(path);
    Yaml::load_from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}")).iter().map(json).collect()
}

fn json(node: &Yaml<'_>) -> Value {
    match node {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(value)) => Value::Bool(*value),
        Yaml::Value(Scalar::Integer(value)) => Value::from(*value),
        Yaml::Value(Scalar::String(value)) => Value::from(&**value),
        Yaml::Sequence(items) => items.iter().map(json).collect(),
        Yaml::Mapping(entries) => {
            let mut own = Map::new();
            let mut merged = Map::new();
            for (key, value) in entries {
                match (key.as_str().expect("keys are texts"), json(value)) {
                    ("<<", Value::Object(fields)) => merged = fields,
                    (key, value) => assert!(own.insert(key.to_owned(), value).is_none(), "duplicate key {key}"),
                }
            }
            merged.extend(own);
            Value::Object(merged)
        }
        other => panic!("{other:?} is not used in these files"),
    }
}
