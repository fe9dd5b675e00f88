//! The floors of `common`: a module depends only on its own floor and those below, and no two files on each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The floors, from the top down.
const FLOORS: &[&str] = &[
    "runtime",
    "http",
    "auth",
    "client",
    "messaging",
    "mail",
    "cache",
    "database",
    "fault",
    "config",
    "task",
    "telemetry",
];

/// Source files by module path, such as `messaging::bus::amqp`; the crate's root is the empty path.
type Sources = BTreeMap<String, String>;

#[test]
fn dependencies_point_downward_and_have_no_cycles() {
    let found = violations(&sources());
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn an_upward_dependency_is_reported() {
    for planted in [
        "use crate::http::ApiError;",
        "fn planted() { crate::http::ApiError::internal(0); }",
        "use {std::fmt, crate::{http::{self, ApiError}}};",
        "use super::super::http::*;",
    ] {
        let mut sources = sources();
        plant(&mut sources, "telemetry::clock", planted);
        let found = violations(&sources);
        assert!(found.iter().any(|line| line.starts_with("upward: telemetry::clock -> http")), "{planted}: {found:?}");
    }
}

#[test]
fn a_cycle_of_files_is_reported() {
    let mut sources = sources();
    plant(&mut sources, "telemetry::error_chain", "use super::metrics::Metrics;");
    plant(&mut sources, "telemetry::metrics", "fn planted() { crate::error_chain(&error); }");
    let found = violations(&sources);
    assert!(found.contains(&"cycle: telemetry::error_chain, telemetry::metrics".to_owned()), "{found:?}");
}

#[test]
fn text_and_comments_are_no_dependencies() {
    let mut sources = sources();
    let planted =
        r##"/* crate::http */ const A: &str = "crate::http"; const B: &str = r#"crate::"http"#; // crate::http"##;
    plant(&mut sources, "telemetry::clock", planted);
    assert_eq!(violations(&sources), [""; 0]);
}

fn plant(sources: &mut Sources, module: &str, code: &str) {
    sources.get_mut(module).unwrap().insert_str(0, &format!("{code}\n"));
}

fn sources() -> Sources {
    let (root, mut sources) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), Sources::new());
    let mut directories = vec![root.clone()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let module = path.strip_prefix(&root).unwrap().with_extension("");
            let module = module.to_str().unwrap().replace('/', "::");
            let module = if module == "lib" { String::new() } else { module };
            sources.insert(module, std::fs::read_to_string(&path).unwrap());
        }
    }
    assert!(sources.len() > 100, "{} files", sources.len());
    sources
}

/// Returns a line for each upward dependency and for each cycle.
fn violations(sources: &Sources) -> Vec<String> {
    let tree = Tree::new(sources);
    let (mut found, mut arrows) = (Vec::new(), BTreeMap::new());
    for module in tree.code.keys() {
        let targets = tree.dependencies(module);
        let floor = |module: &str| FLOORS.iter().position(|floor| module.split("::").next() == Some(*floor));
        for target in &targets {
            if floor(target) < floor(module) {
                found.push(format!("upward: {module} -> {target}"));
            }
        }
        if !module.is_empty() && floor(module).is_none() {
            found.push(format!("no floor: {module}"));
        }
        arrows.insert(module.clone(), targets);
    }
    found.extend(cycles(&arrows));
    found
}

/// Returns a line for each set of files that reach each other.
fn cycles(arrows: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    let reach = |from: &String| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(next) = open.pop() {
            for target in arrows.get(next).into_iter().flatten() {
                if seen.insert(target.clone()) {
                    open.push(target);
                }
            }
        }
        seen
    };
    let reached: BTreeMap<_, _> = arrows.keys().map(|module| (module, reach(module))).collect();
    let ring = |module: &String| {
        let mutual = reached[module].iter().filter(|other| reached.get(other).is_some_and(|far| far.contains(module)));
        mutual.cloned().collect::<Vec<_>>()
    };
    let rings = arrows.keys().map(ring).filter(|ring| ring.len() > 1);
    rings.map(|ring| format!("cycle: {}", ring.join(", "))).collect()
}

/// The modules of the crate.
struct Tree {
    /// Code without imports, comments and texts.
    code: BTreeMap<String, String>,
    imports: BTreeMap<String, Vec<Import>>,
    /// Modules of exported macros.
    macros: BTreeMap<String, String>,
}

/// A path of a `use` declaration and the name that it gets; `*` for all names.
#[derive(Clone, Debug)]
struct Import {
    path: Vec<String>,
    name: String,
    /// Re-exports are dependencies only where the module itself uses the name.
    exported: bool,
}

impl Tree {
    fn new(sources: &Sources) -> Self {
        // Unit tests, which stand at a file's end, may use anything.
        let own = |text: &str| bare(text.split("\n#[cfg(test)]\nmod tests {").next().unwrap());
        let code: BTreeMap<_, _> = sources.iter().map(|(module, text)| (module.clone(), own(text))).collect();
        let (mut imports, mut rest, mut macros) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (module, text) in &code {
            let (found, own) = split_imports(text);
            imports.insert(module.clone(), found);
            rest.insert(module.clone(), own);
            for part in text.split("#[macro_export]").skip(1) {
                let name = part.trim_start().trim_start_matches("macro_rules!").trim_start();
                macros.insert(name.split(|c: char| !is_ident(c)).next().unwrap().to_owned(), module.clone());
            }
        }
        Self { code: rest, imports, macros }
    }

    /// Returns the modules that this one names, by `use` or by a path.
    fn dependencies(&self, module: &str) -> BTreeSet<String> {
        let code = &self.code[module];
        let used = |import: &&Import| !import.exported || mentions(code, &import.name);
        let mut paths: Vec<_> = self.imports[module].iter().filter(used).map(|import| import.path.clone()).collect();
        paths.extend(inline_paths(code));
        let resolved = paths.iter().filter_map(|path| self.resolve(module, path, 0));
        resolved.filter(|target| target != module).collect()
    }

    /// Returns the module that defines the end of a path as it stands in `module`; nothing for those of other crates.
    fn resolve(&self, module: &str, path: &[String], depth: usize) -> Option<String> {
        let (first, mut rest) = path.split_first()?;
        if path.iter().any(|segment| segment == "compat") || depth > 20 {
            return None;
        }
        let mut at = match first.as_str() {
            "crate" => String::new(),
            "self" => module.to_owned(),
            "super" => parent(module),
            name if self.code.contains_key(&join(module, name)) => join(module, name),
            _ => return None,
        };
        while let Some((segment, after)) = rest.split_first() {
            rest = after;
            if segment == "super" {
                at = parent(&at);
            } else if segment == "self" || segment == "*" {
            } else if self.code.contains_key(&join(&at, segment)) {
                at = join(&at, segment);
            } else {
                return Some(self.definition(&at, segment, depth));
            }
        }
        Some(at)
    }

    /// Returns the module that defines a name that `module` has: itself, or the one that it re-exports the name from.
    fn definition(&self, module: &str, name: &str, depth: usize) -> String {
        let kinds = ["struct", "enum", "trait", "fn", "type", "const", "static", "macro_rules!"];
        let text = &self.code[module];
        let defines = |kind: &str| {
            text.match_indices(&format!("{kind} {name}"))
                .any(|(at, found)| !text[at + found.len()..].starts_with(is_ident) && !text[..at].ends_with(is_ident))
        };
        if kinds.iter().any(|kind| defines(kind)) {
            return module.to_owned();
        }
        if let Some(home) = self.macros.get(name).filter(|_| module.is_empty()) {
            return home.clone();
        }
        let named = self.imports[module].iter().find(|import| import.name == name);
        if let Some(target) = named.and_then(|import| self.resolve(module, &import.path, depth + 1)) {
            return target;
        }
        let globs = self.imports[module].iter().filter(|import| import.name == "*");
        let mut targets = globs.filter_map(|glob| {
            let target = self.resolve(module, &glob.path, depth + 1)?;
            let home = self.definition(&target, name, depth + 1);
            (home != target || self.code[&target].contains(name)).then_some(home)
        });
        targets.next().unwrap_or_else(|| module.to_owned())
    }
}

/// Returns whether a name stands in code.
fn mentions(code: &str, name: &str) -> bool {
    let whole =
        |(at, _): &(usize, &str)| !code[..*at].ends_with(is_ident) && !code[*at + name.len()..].starts_with(is_ident);
    name != "*" && code.match_indices(name).any(|found| whole(&found))
}

fn is_ident(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn join(module: &str, name: &str) -> String {
    if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") }
}

fn parent(module: &str) -> String {
    module.rsplit_once("::").map_or(String::new(), |(parent, _)| parent.to_owned())
}

/// Returns source text without comments, texts and character literals.
fn bare(text: &str) -> String {
    let (mut bare, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(c) = rest.chars().next() {
        let raw = rest.strip_prefix('r').map(|after| after.len() - after.trim_start_matches('#').len());
        let raw = raw.filter(|hashes| rest[1 + hashes..].starts_with('"') && !bare.ends_with(is_ident));
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(hashes) = raw {
            let (start, end) = (2 + hashes, format!("\"{}", "#".repeat(hashes)));
            start + rest[start..].find(&end).unwrap() + end.len()
        } else if c == '"' {
            quoted(rest, '"')
        } else if rest.starts_with("'\\") || c == '\'' && rest.chars().nth(2) == Some('\'') {
            quoted(rest, '\'')
        } else {
            bare.push(c);
            c.len_utf8()
        };
        rest = &rest[length..];
    }
    bare
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = true;
    for (at, c) in text.char_indices() {
        if at > 0 && c == quote && !escaped {
            return at + 1;
        }
        escaped = at > 0 && c == '\\' && !escaped;
    }
    text.len()
}

/// Splits code into its imports, those of nested modules included, and the rest.
fn split_imports(code: &str) -> (Vec<Import>, String) {
    let (mut found, mut rest, mut end) = (Vec::new(), String::new(), 0);
    for (at, _) in code.match_indices("use ") {
        let before = code[..at].trim_end_matches(' ');
        let exported = ["pub", "pub(crate)", "pub(super)"].iter().any(|word| before.ends_with(word));
        if at < end || !(exported || before.is_empty() || before.ends_with(['\n', ';', '}', '{', ')', ']'])) {
            continue;
        }
        let tree = code[at + 4..].split(';').next().unwrap();
        expand(&[], &tree.replace(char::is_whitespace, " "), exported, &mut found);
        rest.push_str(&code[end..at]);
        end = at + 4 + tree.len();
    }
    rest.push_str(&code[end..]);
    (found, rest)
}

/// Adds the paths of a tree such as `crate::{a::b, c as d}`.
fn expand(prefix: &[String], tree: &str, exported: bool, found: &mut Vec<Import>) {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let (path, alias) = tree.split_once(" as ").map_or((tree, None), |(path, alias)| (path, Some(alias.trim())));
        let mut whole = prefix.to_vec();
        whole.extend(path.trim().split("::").map(|segment| segment.trim().to_owned()).filter(|part| !part.is_empty()));
        let own: Vec<_> = whole.iter().filter(|segment| *segment != "self").collect();
        let name = alias.or_else(|| own.last().map(|name| name.as_str())).unwrap_or_default().to_owned();
        found.push(Import { path: whole, name, exported });
        return;
    };
    let mut base = prefix.to_vec();
    base.extend(tree[..open].split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()));
    let inner = &tree[open + 1..tree.rfind('}').unwrap()];
    let (mut depth, mut start) = (0, 0);
    for (at, c) in inner.char_indices().chain([(inner.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !inner[start..at].trim().is_empty() {
                    expand(&base, &inner[start..at], exported, found);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// Returns the paths in code that have more than one segment.
fn inline_paths(code: &str) -> Vec<Vec<String>> {
    let (mut paths, mut current, mut rest) = (Vec::new(), Vec::<String>::new(), code);
    while let Some(c) = rest.chars().next() {
        if is_ident(c) {
            let end = rest.find(|c: char| !is_ident(c)).unwrap_or(rest.len());
            current.push(rest[..end].to_owned());
            rest = &rest[end..];
            match rest.strip_prefix("::") {
                Some(after) if after.starts_with(is_ident) => rest = after,
                _ => {
                    if current.len() > 1 {
                        paths.push(std::mem::take(&mut current));
                    }
                    current.clear();
                }
            }
        } else {
            rest = &rest[c.len_utf8()..];
        }
    }
    paths
}
