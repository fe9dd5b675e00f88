//! `docker-compose.yml` and the output of `deploy/env`.

use std::collections::BTreeMap;
use std::process::{Command, Output};

use serde_json::{Map, Value};
use tempfile::TempDir;

use crate::support::{root, yaml};

/// Runs `deploy/env` on a file of this directory.
pub(crate) fn write_env(directory: &TempDir) -> Output {
    Command::new(root().join("deploy/env")).arg(directory.path().join(".env")).output().unwrap()
}

/// Returns a new `.env`, by variable.
pub(crate) fn env() -> BTreeMap<String, String> {
    let directory = tempfile::tempdir().unwrap();
    let output = write_env(&directory);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    parse_env(&std::fs::read_to_string(directory.path().join(".env")).unwrap())
}

/// Parses the used subset of Compose's format: comments, `NAME=value`, and multi-line values in double quotes.
fn parse_env(text: &str) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, mut value) = line.split_once('=').map(|(name, value)| (name, value.to_owned())).unwrap();
        if value.starts_with('"') {
            while value.len() == 1 || !value.ends_with('"') {
                value = format!("{value}\n{}", lines.next().expect("a closing quote"));
            }
            value = value.trim_matches('"').to_owned();
        }
        assert_eq!(variables.insert(name.to_owned(), value), None, "{name} stands there twice");
    }
    variables
}

/// Returns the services of `docker-compose.yml`.
pub(crate) fn services() -> Map<String, Value> {
    yaml("docker-compose.yml")["services"].as_object().unwrap().clone()
}

/// Returns the names in `${NAME:?…}`.
pub(crate) fn variables(text: &str) -> Vec<&str> {
    text.split("${").skip(1).map(|rest| rest.split_once(":?").expect("each must be set").0).collect()
}

/// Substitutes variables; `$$` is an escaped dollar.
pub(crate) fn interpolate(text: &str, env: &BTreeMap<String, String>) -> String {
    let mut parts = text.split("${");
    let mut whole = parts.next().unwrap().replace("$$", "$");
    for part in parts {
        let (name, rest) = part.split_once('}').unwrap();
        let (name, _) = name.split_once(":?").unwrap();
        whole.push_str(env.get(name).unwrap_or_else(|| panic!("deploy/env does not write {name}")));
        whole.push_str(&rest.replace("$$", "$"));
    }
    whole
}

/// Returns the environment of a service's container.
pub(crate) fn environment(service: &Value, env: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let fields = service["environment"].as_object().into_iter().flatten();
    // A name without a value is passed through if it is set.
    let fields = fields.filter(|(name, value)| !value.is_null() || env.contains_key(*name));
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    fields.map(|(name, value)| (name.clone(), interpolate(&text(value), env))).collect()
}
