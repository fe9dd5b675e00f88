//! The documents against the files: ports, commands, and what they name in the repository.

use std::collections::BTreeSet;

use crate::file::services;
use crate::support::{read, root};

fn documents() -> Vec<(String, String)> {
    let mut paths = vec!["README.md".to_owned(), "CONTRIBUTING.md".to_owned()];
    for folder in ["docs", "docs/runbooks"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            // What that page names is the older system's.
            if name.ends_with(".md") && name != "faithfulness.md" {
                paths.push(format!("{folder}/{name}"));
            }
        }
    }
    paths.into_iter().map(|path| (path.clone(), read(&path))).collect()
}

/// `8000, 8100` and `3001 to 3004`.
fn ports(cell: &str) -> Vec<u64> {
    let number = |text: &str| text.trim().parse::<u64>().unwrap_or_else(|_| panic!("{text} is no port"));
    let one = |part: &str| {
        let (first, last) = part.split_once(" to ").map_or((part, part), |(first, last)| (first, last));
        number(first)..=number(last)
    };
    cell.split(',').flat_map(one).collect()
}

/// The exporters' ports are there for Prometheus alone.
#[test]
fn the_table_of_ports_is_what_compose_publishes() {
    let text = read("docs/operations.md");
    let (_, section) = text.split_once("\n| port | service |\n|---|---|\n").unwrap();
    let rows = section.lines().take_while(|line| line.starts_with('|'));
    let told: Vec<_> = rows.flat_map(|row| ports(row.trim_matches('|').split(" | ").next().unwrap())).collect();
    let once: BTreeSet<_> = told.iter().copied().collect();
    assert_eq!(once.len(), told.len(), "a port stands there twice");
    let mut published = BTreeSet::new();
    for (name, service) in services() {
        if name.ends_with("-exporter") || name == "auditor" {
            continue;
        }
        for port in service["ports"].as_array().into_iter().flatten() {
            published.insert(port.as_str().unwrap().split(':').nth(1).unwrap().parse().unwrap());
        }
    }
    assert_eq!(once, published);
}

/// Paths between backticks and in links, and what is applied or run in blocks of commands.
#[test]
fn what_documents_name_is_there() {
    let made = ["k8s/overlays/dev/secrets", "k8s/overlays/<overlay>/secrets"];
    let folders: Vec<_> = ["k8s/", "deploy/", "monitoring/", "kong/", "docs/", "crates/", "services/", "tests/"].into();
    let mut seen = 0;
    for (path, text) in documents() {
        let words = text.split(|character: char| character.is_whitespace() || "`()'\"|,;".contains(character));
        for word in words {
            let word = word.trim_end_matches(['.', ':', '/']);
            if !folders.iter().any(|folder| word.starts_with(folder)) || word.contains(['*', '<', '{', '$', '[']) {
                continue;
            }
            if made.iter().any(|made| word.starts_with(made)) {
                continue;
            }
            assert!(root().join(word).exists(), "{path} names {word}, which is not there");
            seen += 1;
        }
    }
    assert!(seen > 40, "only {seen} paths were seen");
}

#[test]
fn every_target_of_make_that_documents_name_is_one() {
    let makefile = read("Makefile");
    let targets: BTreeSet<_> = makefile
        .lines()
        .filter_map(|line| line.split_once(": ## ").or(line.split_once(':')))
        .map(|(target, _)| target)
        .collect();
    let mut seen = BTreeSet::new();
    for (path, text) in documents() {
        let starts = text.split("`make ").skip(1).chain(text.split("\nmake ").skip(1));
        for target in starts.map(|rest| rest.split([' ', '`', '\n']).next().unwrap()) {
            assert!(targets.contains(target), "{path} names make {target}, which is none");
            seen.insert(target.to_owned());
        }
    }
    assert!(seen.contains("k8s-check") && seen.len() > 5, "{seen:?}");
}
