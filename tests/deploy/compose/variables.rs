//! Variables: those that the services read (`<service> config --json`), those of the containers, and those that the
//! documents list.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use common::config::ServiceName;
use common::config::variables::{self, Variable};

use super::build::variables_of_images;
use super::file::services;
use super::manifests::{Manifests, names};
use crate::support::{read, root};

/// Returns the output of `<service> config --json`.
fn read_by(name: ServiceName) -> Vec<Variable> {
    match name {
        ServiceName::User => variables::of(user_service::config::Config::from_env),
        ServiceName::Product => variables::of(product_service::config::Config::from_env),
        ServiceName::Order => variables::of(order_service::config::Config::from_env),
        ServiceName::Payment => variables::of(payment_service::config::Config::from_env),
    }
}

/// Returns the places that set variables of a service, each with the variables.
fn given(name: ServiceName) -> [(&'static str, BTreeSet<String>); 2] {
    let by_image = || variables_of_images().into_keys();
    let containers = services();
    let own = containers[name.as_str()]["environment"].as_object().unwrap().keys().cloned();
    let manifests = Manifests::of("dev");
    let pods = names(manifests.container(name.as_str()));
    [("Compose", own.chain(by_image()).collect()), ("Kubernetes", pods.into_iter().chain(by_image()).collect())]
}

/// Returns the rows of the table under a heading, as cells.
fn table(path: &str, heading: &str) -> Vec<Vec<String>> {
    let text = read(path);
    let (_, section) = text.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("{path}: {heading}"));
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let cells = |row: &str| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
    rows.map(cells).collect()
}

fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Returns the services that read each variable.
fn readers() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut readers = BTreeMap::<_, BTreeSet<_>>::new();
    for name in ServiceName::ALL {
        for variable in read_by(*name) {
            readers.entry(variable.name).or_default().insert(name.as_str());
        }
    }
    readers
}

#[test]
fn set_variables_are_read() {
    for name in ServiceName::ALL {
        let read = read_by(*name);
        let known = |set: &str| {
            let by_file = |variable: &Variable| variable.secret && set.strip_suffix("_FILE") == Some(variable.name);
            read.iter().any(|variable| variable.name == set || by_file(variable))
        };
        for (place, set) in given(*name) {
            let unknown: Vec<_> = set.iter().filter(|set| !known(set)).collect();
            assert!(unknown.is_empty(), "{name} in {place} does not read {unknown:?}");
        }
    }
}

/// The table lists unset variables and their defaults.
#[test]
fn unset_variables_are_listed() {
    let mut left = BTreeMap::<_, (BTreeSet<_>, String)>::new();
    for name in ServiceName::ALL {
        for variable in read_by(*name) {
            for (place, set) in given(*name) {
                if !set.contains(variable.name) {
                    assert!(!variable.required, "{name} does not start in {place} without {}", variable.name);
                    let (places, default) = left.entry(variable.name).or_default();
                    places.insert(place);
                    default.clone_from(&variable.value);
                }
            }
        }
    }
    let mut reported = BTreeSet::new();
    for row in table("docs/operations.md", "Settings left at their defaults") {
        let [names, places, then] = &row[..] else { panic!("{row:?}") };
        for name in quoted(names) {
            let (unset, default) = left.get(name).unwrap_or_else(|| panic!("{name} is set everywhere, or not read"));
            assert_eq!(&places.split(", ").collect::<BTreeSet<_>>(), unset, "where {name} is not set");
            let tells = default.is_empty() || quoted(then).contains(&default.as_str());
            assert!(tells, "{name} is `{default}` if it is not set, which the table does not say");
            assert!(reported.insert(name.to_owned()), "duplicate {name}");
        }
    }
    let unreported: Vec<_> = left.keys().filter(|name| !reported.contains(**name)).collect();
    assert!(unreported.is_empty(), "unset variables without a documented default: {unreported:?}");
}

#[test]
fn settings_table_lists_every_variable_and_its_readers() {
    let mut readers = readers();
    let all: BTreeSet<_> = ServiceName::ALL.iter().map(|name| name.as_str()).collect();
    for row in table("README.md", "Settings") {
        let [names, of, value] = &row[..] else { panic!("{row:?}") };
        let (names, of): (Vec<_>, Vec<_>) = (names.split("; ").collect(), of.split("; ").collect());
        assert_eq!(names.len(), of.len(), "{row:?}");
        assert!(!value.is_empty(), "{row:?}");
        for (names, of) in names.iter().zip(of) {
            let words: Vec<_> = of.split(", ").collect();
            let named = all.iter().copied().filter(|name| {
                let short = name.strip_suffix("-service").unwrap();
                words.contains(&"all") || words.contains(&short)
            });
            let named: BTreeSet<_> = named.collect();
            for name in quoted(names) {
                let real = readers.remove(name).unwrap_or_else(|| panic!("{name} is not read, or listed twice"));
                assert_eq!(named, real, "who reads {name}");
            }
        }
    }
    assert!(readers.is_empty(), "README does not tell of {:?}", readers.keys());
}

/// Returns the description of a variable in `<service> config`.
#[test]
fn variables_have_a_description() {
    for name in ServiceName::ALL {
        for variable in read_by(*name) {
            assert!(!variable.about.is_empty(), "{name} does not say what {} is for", variable.name);
        }
    }
    let source = read("crates/common/src/config/variable.rs");
    let (_, list) = source.split_once("const ABOUT").unwrap();
    let list = list.split("\n];").next().unwrap();
    let known: Vec<_> = list.lines().filter_map(|line| line.trim().strip_prefix("(\"")?.split('"').next()).collect();
    let readers = readers();
    assert!(known.len() > 30, "{known:?}");
    for name in known {
        assert!(readers.contains_key(name), "{name} is documented, but not read");
    }
}

fn sources(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else {
            text.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// The sandbox and the auditor are commands of `shopfleet`, whose variables appear in the source.
#[test]
fn commands_read_their_variables() {
    let mut source = String::new();
    for crate_ in ["shopfleet", "stripe-sandbox", "common"] {
        sources(&root().join("crates").join(crate_).join("src"), &mut source);
    }
    let mut seen = 0;
    let containers = services();
    let manifests = Manifests::of("dev");
    let by_compose = containers.values().filter(|service| service["build"]["target"] == "shopfleet");
    let by_compose = by_compose.flat_map(|service| service["environment"].as_object().unwrap().keys().cloned());
    let pods = manifests.pods();
    let by_pods = pods.keys().map(|name| manifests.container(name));
    let commands = ["shopfleet/shopfleet:", "shopfleet/stripe-sandbox:"];
    let of_a_command = |image: &str| commands.iter().any(|command| image.starts_with(command));
    let by_pods = by_pods.filter(|container| of_a_command(container["image"].as_str().unwrap()));
    for name in by_compose.chain(by_pods.flat_map(names)) {
        assert!(source.contains(&format!("\"{name}\"")), "no command reads {name}");
        seen += 1;
    }
    assert!(seen >= 9, "only {seen} variables were seen");
}

/// The scripts that create databases and the gateway's file get their variables in both places.
#[test]
fn scripts_and_gateway_get_their_variables() {
    let manifests = Manifests::of("dev");
    let asked = |path: &str, before: &str, after: char| {
        let text = read(path);
        let found = text.split(before).skip(1).map(|rest| rest.split(after).next().unwrap());
        found.filter(|name| name.ends_with("PASSWORD")).map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let postgres = asked("deploy/postgres/init.sh", "\"$", '"');
    let mongodb = asked("deploy/mongodb/init.js", "process.env.", ',');
    let gateway = read("kong/kong.yml");
    let kong = gateway.split("{vault://env/").skip(1).map(|rest| rest.split('}').next().unwrap());
    let kong = kong.map(|name| name.replace('-', "_").to_uppercase()).collect::<BTreeSet<_>>();
    for (name, asked) in [("postgres", postgres), ("mongodb", mongodb), ("kong", kong)] {
        assert!(!asked.is_empty(), "{name}");
        let own = services()[name]["environment"].as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        for (place, given) in [("Compose", own), ("Kubernetes", names(manifests.container(name)))] {
            let passwords = |names: &BTreeSet<String>| {
                names
                    .iter()
                    .filter(|name| name.ends_with("DB_PASSWORD") || *name == "REDIS_PASSWORD")
                    .cloned()
                    .collect()
            };
            let given: BTreeSet<String> = passwords(&given);
            assert_eq!(given, asked, "{name} in {place}");
        }
    }
}
