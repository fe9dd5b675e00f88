//! Files of the repository.

use std::path::PathBuf;

use serde_json::Value;

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

/// Parses a YAML text of one document.
pub(crate) fn yaml_text(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Parses the documents of a YAML file. Kubernetes reads `0440` as an octal number.
pub(crate) fn documents(path: &str) -> Vec<Value> {
    let options = serde_saphyr::options! { strict_booleans: true, legacy_octal_numbers: true };
    serde_saphyr::from_multiple_with_options(&read(path), options).unwrap_or_else(|error| panic!("{path}: {error}"))
}
