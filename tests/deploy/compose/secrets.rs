//! Output of `deploy/env`.

use std::os::unix::fs::PermissionsExt as _;

use common::auth::keys::SigningKey;

use super::file::{env, variables, write_env};
use crate::support::read;
use crate::support::yaml;

#[test]
fn env_file_has_every_variable_and_new_secrets() {
    let (one, other) = (env(), env());
    let text = read("docker-compose.yml");
    let used = variables(&text);
    for name in &used {
        assert!(one.get(*name).is_some_and(|value| !value.is_empty()), "deploy/env does not write {name}");
    }
    let secrets = yaml("docker-compose.yml")["secrets"].as_object().unwrap().clone();
    let secrets: Vec<_> = secrets.values().map(|secret| secret["environment"].as_str().unwrap().to_owned()).collect();
    assert!(secrets.iter().all(|name| one.contains_key(name)), "{secrets:?}");
    for (name, value) in &one {
        let read = name == "COMPOSE_PROFILES" || used.contains(&name.as_str()) || secrets.contains(name);
        assert!(read, "{name} is not read");
        if ["PASSWORD", "SECRET", "KEY"].iter().any(|part| name.contains(part)) {
            assert_ne!(value, &other[name], "{name} is the same each time");
            assert!(value.len() >= 32, "{name} is short");
        }
    }
    SigningKey::from_pem(&one["JWT_PRIVATE_KEY"].as_str().into()).unwrap();
}

#[test]
fn secrets_have_no_defaults() {
    let text = read("docker-compose.yml");
    assert!(!text.contains(":-") && !text.contains("${}"), "a default would be used in silence");
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let Some((name, value)) = line.trim().split_once(": ") else { continue };
        if name.contains("PASSWORD") || name.ends_with("_PASS") || name.contains("SECRET") || name.ends_with("_KEY") {
            assert!(value.starts_with("${"), "{line}");
        }
    }
}

#[test]
fn env_file_is_private_and_never_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    assert!(write_env(&directory).status.success());
    let path = directory.path().join(".env");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let before = std::fs::read_to_string(&path).unwrap();
    let rejected = write_env(&directory);
    assert_eq!(rejected.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&rejected.stderr).contains("exists"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [".env"], "nothing else is left");
}
