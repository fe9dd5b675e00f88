//! `deploy/Dockerfile` and `.dockerignore`.

use std::collections::{BTreeMap, BTreeSet};

use super::file::services;
use crate::support::{read, root};

/// Returns the instructions of each stage of the Dockerfile, by name.
fn stages() -> BTreeMap<String, Vec<String>> {
    let mut stages: BTreeMap<_, Vec<String>> = BTreeMap::new();
    let mut name = String::new();
    let text = read("deploy/Dockerfile").replace("\\\n", " ");
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(from) = line.strip_prefix("FROM ") {
            let (image, stage) = from.split_once(" AS ").expect("every stage has a name");
            assert!(stages.contains_key(image) || tagged(image), "{image} has no tag");
            name = stage.to_owned();
        }
        stages.entry(name.clone()).or_default().push(line.to_owned());
    }
    stages
}

fn tagged(image: &str) -> bool {
    image.rsplit('/').next().unwrap().split_once(':').is_some_and(|(_, tag)| !tag.is_empty() && tag != "latest")
}

/// Returns the variables that every image sets.
pub(crate) fn variables_of_images() -> BTreeMap<String, String> {
    let stages = stages();
    let lines = stages["base"].iter().filter_map(|line| line.strip_prefix("ENV "));
    let pairs = lines.flat_map(str::split_whitespace).map(|pair| pair.split_once('=').unwrap());
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Returns the exposed port of an image.
pub(crate) fn exposed(target: &str) -> String {
    let stages = stages();
    let mut ports = stages[target].iter().filter_map(|line| line.strip_prefix("EXPOSE "));
    let port = ports.next().unwrap_or_else(|| panic!("{target} exposes nothing"));
    port.to_owned()
}

/// Returns whether the image of this target has a health check.
pub(crate) fn has_health_check(target: &str) -> bool {
    stages()[target].iter().any(|line| line.starts_with("HEALTHCHECK") && line.contains("\"health\""))
}

#[test]
fn images_have_tags() {
    for (name, service) in services() {
        assert!(tagged(service["image"].as_str().unwrap()), "{name}");
    }
    assert!(!stages().is_empty());
}

#[test]
fn images_have_one_binary_and_no_root() {
    let stages = stages();
    let mut built = Vec::new();
    for (name, service) in services() {
        let Some(build) = service.get("build") else { continue };
        assert_eq!((build["context"].as_str(), build["dockerfile"].as_str()), (Some("."), Some("deploy/Dockerfile")));
        let target = build["target"].as_str().unwrap();
        let stage = &stages[target];
        assert_eq!(stage[0], format!("FROM base AS {target}"), "{name}");
        let binary = format!("/usr/local/bin/{target}");
        assert!(stage.contains(&format!("COPY --from=build /out/{target} {binary}")), "{stage:?}");
        assert!(stage.contains(&format!("ENTRYPOINT [\"{binary}\"]")), "{stage:?}");
        assert!(!stage.iter().any(|line| line.starts_with("USER") || line.starts_with("RUN")), "{stage:?}");
        built.push(target.to_owned());
    }
    built.sort();
    // The command line runs in several containers.
    built.dedup();
    assert_eq!(built, ["order-service", "payment-service", "product-service", "shopfleet", "user-service"]);
    assert!(stages["base"].contains(&"USER nonroot:nonroot".to_owned()));
    let build = stages["build"].join("\n");
    for target in &built {
        assert_eq!(build.matches(&format!("-p {target}")).count(), 2, "{target}: dependencies, and itself");
        assert!(build.contains(&format!("target/release/{target}")), "{target}");
    }
    // Without its default feature `chaos`, so that no test code is linked.
    assert_eq!(build.matches("-p shopfleet --no-default-features").count(), 2, "{build}");
}

/// Concurrent builds of one tag would conflict.
#[test]
fn tags_are_built_once() {
    let services = services();
    let built: Vec<_> = services.values().filter(|service| service["build"].is_object()).collect();
    let tags: BTreeSet<_> = built.iter().map(|service| service["image"].as_str().unwrap()).collect();
    assert_eq!(tags.len(), built.len(), "{tags:?}");
}

#[test]
fn compiler_version_satisfies_the_workspace() {
    let needed = read("Cargo.toml").lines().find_map(|line| line.strip_prefix("rust-version = ").map(str::to_owned));
    let number = |text: &str| text.split('.').map(|part| part.parse::<u32>().unwrap()).collect::<Vec<_>>();
    let chef = stages()["chef"][0].clone();
    let used = chef.strip_prefix("FROM rust:").and_then(|rest| rest.split_once('-')).unwrap().0;
    assert!(number(used) >= number(needed.unwrap().trim_matches('"')), "{used}");
}

#[test]
fn build_context_has_sources_and_no_secrets() {
    let text = read(".dockerignore");
    let rules: Vec<_> = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert_eq!(rules[0], "*", "what is not named does not go to the engine");
    for secret in ["**/.env", "**/target", "**/*.pem", "**/*.db"] {
        assert!(rules.contains(&secret), "{secret}");
    }
    // Workspace members, and other files that their sources include.
    for needed in ["Cargo.toml", "Cargo.lock", "crates", "services", "tests", "kong"] {
        assert!(root().join(needed).exists() && rules.contains(&format!("!{needed}").as_str()), "{needed}");
    }
}
