//! Sources of the repositories: each statement exists once, and none depends on the kind of database but by a fragment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Returns the source files below a directory, with their code outside of unit tests.
fn sources(directory: &Path) -> Vec<(PathBuf, String)> {
    let (mut found, mut open) = (Vec::new(), vec![directory.to_owned()]);
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let code = text.split("\n#[cfg(test)]\nmod tests").next().unwrap().to_owned();
                found.push((path, code));
            }
        }
    }
    found
}

/// Returns the crates whose statements run on both databases.
fn crates() -> Vec<Vec<(PathBuf, String)>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let services =
        ["order", "payment", "product", "user"].map(|name| root.join("../../services").join(name).join("src"));
    let directories = services.into_iter().chain([root.join("src/database")]);
    let found: Vec<_> = directories.map(|directory| sources(&directory)).collect();
    assert!(found.iter().all(|files| files.len() > 10));
    found
}

/// Returns the statements in a source, with single spaces.
fn statements(code: &str) -> Vec<String> {
    let begins =
        |text: &str| ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "].iter().any(|verb| text.starts_with(verb));
    let texts = code.match_indices('"').map(|(at, _)| &code[at + 1..]).filter(|text| begins(text));
    let whole = texts.filter_map(|text| text.split_once('"')).map(|(text, _)| text.replace("\\\n", ""));
    whole.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn each_statement_exists_once() {
    for files in crates() {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        // What ends in a fragment, such as a lock, differs by it.
        let all = files.iter().flat_map(|(_, code)| statements(code)).filter(|text| !text.ends_with("{}"));
        all.for_each(|text| *seen.entry(text).or_default() += 1);
        let twice: Vec<_> = seen.iter().filter(|(text, count)| text.len() > 30 && **count > 1).collect();
        assert!(twice.is_empty(), "{twice:#?}");
    }
}

#[test]
fn no_code_outside_of_the_layer_branches_on_the_database() {
    let mut crates = crates();
    crates.pop();
    for (path, code) in crates.iter().flatten() {
        let branches = ["Dialect::SQLITE", "Dialect::POSTGRES", "dialect().name()"];
        assert!(!branches.iter().any(|branch| code.contains(branch)), "{}", path.display());
    }
}
