//! What the dashboards and the rules ask Prometheus.

use std::path::Path;

use serde_json::Value;

/// The services, of which a dashboard shows one at a time.
const SERVICES: [&str; 4] = ["user-service", "product-service", "order-service", "payment-service"];
/// What Grafana puts in the place of its variable, at the tests' pace of asking.
const RATE_INTERVAL: &str = "20s";

/// Something that Prometheus is asked for.
pub(crate) struct Asked {
    /// Where it stands, such as `Fleet › Requests`.
    pub(crate) place: String,
    /// Of which kind it is: `panel`, `recording` or `alert`.
    pub(crate) kind: &'static str,
    /// The expressions, each of which has to give data; of the variants of one, at least one has to.
    pub(crate) expressions: Vec<Vec<String>>,
}

/// A file of this repository.
pub(crate) fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names of the files in a folder.
pub(crate) fn files(folder: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
    let entries = std::fs::read_dir(path).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The dashboards.
pub(crate) fn dashboards() -> Vec<Value> {
    let folder = "monitoring/grafana/dashboards";
    files(folder).iter().map(|name| serde_json::from_str(&read(&format!("{folder}/{name}"))).unwrap()).collect()
}

/// The panels of a dashboard that show something.
pub(crate) fn panels(board: &Value) -> impl Iterator<Item = &Value> {
    board["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row")
}

/// An expression of a panel as Grafana asks it, for each service if it is about one.
pub(crate) fn asked(expression: &str) -> Vec<String> {
    let expression = expression.replace("$__rate_interval", RATE_INTERVAL);
    if !expression.contains("$service") {
        return vec![expression];
    }
    SERVICES.iter().map(|service| expression.replace("$service", service)).collect()
}

/// What all panels ask.
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

/// What all rules ask, from what Prometheus says of them. An alert that is not raised gives nothing, so that it is asked
/// for what it compares.
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

/// The same expression with comparisons that say whether they hold, instead of leaving out what does not.
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
fn comparisons_say_whether_they_hold() {
    let expression = r#"a{b!~"c>d"} >= 5 and (e == 0 or f < 2 * 3)"#;
    assert_eq!(compared(expression), r#"a{b!~"c>d"} >= bool 5 and (e == bool 0 or f < bool 2 * 3)"#);
}
