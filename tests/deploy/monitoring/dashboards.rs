//! Dashboards and their data sources.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::alerts::{files, rules};
use super::{known, promql};
use crate::support::{read, yaml};

/// Returns the dashboards, by file.
fn dashboards() -> BTreeMap<String, Value> {
    let names = files("monitoring/grafana/dashboards", ".json");
    let read = |name: &String| serde_json::from_str(&read(&format!("monitoring/grafana/dashboards/{name}.json")));
    let boards: BTreeMap<_, Value> = names.iter().map(|name| (name.clone(), read(name).unwrap())).collect();
    assert_eq!(boards.keys().collect::<Vec<_>>(), ["fleet", "messaging", "objectives", "orders", "service", "stores"]);
    boards
}

/// Returns the panels of a dashboard that have queries.
fn panels(board: &Value) -> impl Iterator<Item = &Value> {
    board["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row")
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().filter(|text| !text.is_empty()).unwrap_or_else(|| panic!("no {name} in {value}"))
}

fn data_sources() -> BTreeSet<String> {
    let file = yaml("monitoring/grafana/provisioning/datasources/shopfleet.yml");
    file["datasources"].as_array().unwrap().iter().map(|source| text(source, "uid").to_owned()).collect()
}

#[test]
fn dashboards_have_unique_uids() {
    let boards = dashboards();
    let of = |name: &str| boards.values().map(|board| text(board, name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!((of("uid").len(), of("title").len()), (boards.len(), boards.len()));
    for (file, board) in &boards {
        assert_eq!(text(board, "uid"), format!("shopfleet-{file}"));
        assert!(text(board, "description").len() > 20, "{file}");
    }
}

#[test]
fn panels_have_description_and_unit() {
    for (file, board) in dashboards() {
        let (mut ids, mut titles) = (BTreeSet::new(), BTreeSet::new());
        for panel in panels(&board) {
            let title = text(panel, "title");
            assert!(
                ids.insert(panel["id"].as_u64().unwrap()) && titles.insert(title),
                "{file}: {title} is there twice"
            );
            assert!(text(panel, "description").ends_with('.'), "{file}: {title}");
            text(&panel["fieldConfig"]["defaults"], "unit");
            assert!(!panel["targets"].as_array().unwrap().is_empty(), "{file}: {title} shows nothing");
        }
    }
}

#[test]
fn panels_do_not_overlap() {
    for (file, board) in dashboards() {
        let mut taken = BTreeSet::new();
        for panel in board["panels"].as_array().unwrap() {
            let of = |name: &str| panel["gridPos"][name].as_u64().unwrap();
            assert!(of("x") + of("w") <= 24, "{file}: {}", panel["title"]);
            for (x, y) in (of("x")..of("x") + of("w")).flat_map(|x| (of("y")..of("y") + of("h")).map(move |y| (x, y))) {
                assert!(taken.insert((x, y)), "{file}: {} covers another", panel["title"]);
            }
        }
    }
}

#[test]
fn expressions_use_existing_metrics() {
    let (known, sources) = (known::metrics(), data_sources());
    let mut used = BTreeSet::new();
    let mut check = |place: &str, expression: &str| {
        let metrics = promql::metrics(expression);
        assert!(!metrics.is_empty(), "{place}: {expression}");
        for metric in metrics {
            assert!(known.contains(&metric), "{place}: unknown metric {metric}");
            used.insert(metric);
        }
    };
    for (file, board) in dashboards() {
        for panel in panels(&board) {
            let place = format!("{file}: {}", panel["title"]);
            for target in panel["targets"].as_array().unwrap() {
                check(&place, text(target, "expr"));
                for source in [&panel["datasource"], &target["datasource"]] {
                    assert!(sources.contains(text(source, "uid")), "{place}: {source}");
                }
            }
        }
        for variable in board["templating"]["list"].as_array().unwrap() {
            assert!(sources.contains(text(&variable["datasource"], "uid")), "{file}: {variable}");
        }
    }
    for (file, rule) in rules() {
        let name = rule["alert"].as_str().or(rule["record"].as_str()).unwrap();
        let expression = text(&rule, "expr");
        if !expression.starts_with("vector(") {
            check(&format!("{file}: {name}"), expression);
        }
    }
    let part = |name: &str| ["_sum", "_bucket", "_count"].iter().any(|end| name.ends_with(end));
    let shown = |name: &str| used.contains(name) || part(name) || known::NOT_SHOWN.contains(&name);
    let unused: Vec<_> = known.iter().filter(|name| !shown(name)).collect();
    assert!(unused.is_empty(), "shown nowhere: {unused:?}");
}

/// Runbooks name panels as `Dashboard › Panel`.
#[test]
fn panels_named_by_runbooks_exist() {
    let boards = dashboards();
    let there: BTreeSet<_> = boards
        .values()
        .flat_map(|board| panels(board).map(|panel| format!("{} › {}", text(board, "title"), text(panel, "title"))))
        .collect();
    let mut named = 0;
    for page in files("docs/runbooks", ".md") {
        let text = read(&format!("docs/runbooks/{page}.md"));
        for panel in text.lines().filter_map(|line| line.strip_prefix("- Panel: ")) {
            assert!(there.contains(panel), "{page}: there is no panel {panel}");
            named += 1;
        }
        // In prose a panel's name ends with the sentence.
        for board in boards.values().map(|board| format!("{} › ", self::text(board, "title"))) {
            for rest in text.split(&board).skip(1) {
                let found =
                    there.iter().filter_map(|one| one.strip_prefix(&board)).any(|title| rest.starts_with(title));
                assert!(found, "{page}: {board}{}", rest.lines().next().unwrap());
            }
        }
    }
    assert!(named > 50, "only {named} panels are named");
}

/// Links lead from a span to its log lines and its service's metrics, and from a log line to its trace.
#[test]
fn data_sources_are_linked_by_trace_id() {
    let file = yaml("monitoring/grafana/provisioning/datasources/shopfleet.yml");
    let sources = file["datasources"].as_array().unwrap();
    let data = |uid: &str| &sources.iter().find(|source| source["uid"] == uid).unwrap()["jsonData"];
    assert_eq!(data("jaeger")["tracesToLogsV2"]["datasourceUid"], "elasticsearch");
    assert!(text(&data("jaeger")["tracesToLogsV2"], "query").starts_with("trace.id:"));
    assert_eq!(data("jaeger")["tracesToMetrics"]["datasourceUid"], "prometheus");
    let link = &data("elasticsearch")["dataLinks"][0];
    assert_eq!((text(link, "field"), text(link, "datasourceUid")), ("trace.id", "jaeger"));
    let known = known::metrics();
    for query in data("jaeger")["tracesToMetrics"]["queries"].as_array().unwrap() {
        let expression = text(query, "query").replace("$$__tags", "");
        assert!(promql::metrics(&expression).iter().all(|metric| known.contains(metric)), "{query}");
    }
}
