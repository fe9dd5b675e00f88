//! Expressions of dashboards and rules.

use std::path::Path;

use serde_json::Value;

/// Services, of which a dashboard shows one at a time.
const SERVICES: [&str; 4] = ["user-service", "product-service", "order-service", "payment-service"];
/// Value of Grafana's rate interval at the tests' scrape interval.
const RATE_INTERVAL: &str = "20s";

/// Query of a panel or rule.
pub(crate) struct Asked {
    /// Location, such as `Fleet › Requests`.
    pub(crate) place: String,
    /// Kind: `panel`, `recording` or `alert`.
    pub(crate) kind: &'static str,
    /// Expressions that must have data, each with variants of which at least one must.
    pub(crate) expressions: Vec<Vec<String>>,
}

/// Reads a file of the repository.
pub(crate) fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the names of the files in a folder.
pub(crate) fn files(folder: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
    let entries = std::fs::read_dir(path).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Returns the dashboards.
pub(crate) fn dashboards() -> Vec<Value> {
    let folder = "monitoring/grafana/dashboards";
    files(folder).iter().map(|name| serde_json::from_str(&read(&format!("{folder}/{name}"))).unwrap()).collect()
}

/// Returns the panels of a dashboard that have queries.
pub(crate) fn panels(board: &Value) -> impl Iterator<Item = &Value> {
    board["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row")
}

/// Returns an expression of a panel as Grafana sends it, per service if it selects one.
pub(crate) fn asked(expression: &str) -> Vec<String> {
    let expression = expression.replace("$__rate_interval", RATE_INTERVAL);
    if !expression.contains("$service") {
        return vec![expression];
    }
    SERVICES.iter().map(|service| expression.replace("$service", service)).collect()
}

/// Returns the queries of all panels.
pub(crate) fn of_panels() -> Vec<Asked> {
    let mut all = Vec::new();
    for board in dashboards() {
        for panel in panels(&board) {
            let place = format!("{} › {}", board["title"].as_str().unwrap(), panel["title"].as_str().unwrap());
            let targets = panel["targets"].as_array().unwrap().iter();
            let expressions = targets.map(|target| asked(target["expr"].as_str().unwrap())).collect();
            all.push(Asked { place, kind: "panel", expressions });
        }
    }
    all
}

/// Returns the queries of all rules as Prometheus lists them. An alert that does not fire has no data, so its comparison
/// is queried instead.
pub(crate) fn of_rules(rules: &Value) -> Vec<Asked> {
    let mut all = Vec::new();
    for rule in rules["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap()) {
        let (name, expression) = (rule["name"].as_str().unwrap(), rule["query"].as_str().unwrap());
        let (kind, expression) = match rule["type"].as_str().unwrap() {
            "alerting" => ("alert", compared(expression)),
            _ => ("recording", expression.to_owned()),
        };
        let slo = rule["labels"]["slo"].as_str().map(|slo| format!(" {slo}")).unwrap_or_default();
        all.push(Asked { place: format!("{name}{slo}"), kind, expressions: vec![vec![expression]] });
    }
    all
}

/// Rewrites comparisons of an expression to return booleans instead of filtering.
pub(crate) fn compared(expression: &str) -> String {
    let mut whole = String::new();
    let (mut quoted, mut depth) = (false, 0_u32);
    let mut rest = expression.chars().peekable();
    while let Some(one) = rest.next() {
        whole.push(one);
        match one {
            '\\' if quoted => whole.extend(rest.next()),
            '"' => quoted = !quoted,
            _ if quoted => {}
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            '>' | '<' | '=' | '!' if depth == 0 => {
                whole.extend(rest.next_if_eq(&'='));
                whole.push_str(" bool");
            }
            _ => {}
        }
    }
    whole
}

#[test]
fn comparisons_are_rewritten_to_booleans() {
    let expression = r#"a{b!~"c>d"} >= 5 and (e == 0 or f < 2 * 3)"#;
    assert_eq!(compared(expression), r#"a{b!~"c>d"} >= bool 5 and (e == bool 0 or f < bool 2 * 3)"#);
}
