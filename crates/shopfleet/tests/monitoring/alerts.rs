//! The alerts, the page of each, and the cases of each.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::{read, root, yaml};

/// The names of the files in a folder that end so, without that end, in order.
pub(crate) fn files(folder: &str, end: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter_map(|name| name.strip_suffix(end).map(str::to_owned)).collect()
}

/// The rules of all files, each with the file that it is of.
pub(crate) fn rules() -> Vec<(String, Value)> {
    let mut rules = Vec::new();
    for file in files("monitoring/rules", ".yml") {
        for group in yaml(&format!("monitoring/rules/{file}.yml"))["groups"].as_array().unwrap() {
            rules.extend(group["rules"].as_array().unwrap().iter().map(|rule| (file.clone(), rule.clone())));
        }
    }
    rules
}

/// The alerts, by name.
fn alerts() -> BTreeMap<String, (String, Value)> {
    let mut alerts = BTreeMap::new();
    for (file, rule) in rules() {
        let Some(name) = rule["alert"].as_str().map(str::to_owned) else { continue };
        assert!(alerts.insert(name.clone(), (file, rule)).is_none(), "{name} stands there twice");
    }
    assert!(alerts.len() > 40, "only {} alerts", alerts.len());
    alerts
}

#[test]
fn every_alert_has_its_page_and_every_page_its_alert() {
    let alerts: BTreeSet<_> = alerts().into_keys().collect();
    assert_eq!(alerts, files("docs/runbooks", ".md"));
}

#[test]
fn every_alert_says_how_urgent_it_is_and_what_to_read() {
    for (name, (_, rule)) in alerts() {
        let severity = rule["labels"]["severity"].as_str().unwrap();
        assert!(["page", "ticket"].contains(&severity), "{name}: {severity}");
        assert!(rule["for"].is_string(), "{name} is raised by a single look");
        for text in ["summary", "description"] {
            assert!(rule["annotations"][text].as_str().is_some_and(|text| text.len() > 10), "{name}: {text}");
        }
        assert_eq!(rule["annotations"]["runbook_url"], format!("docs/runbooks/{name}.md"));
    }
}

#[test]
fn every_page_says_all_that_is_needed_and_leads_somewhere() {
    for (name, (file, rule)) in alerts() {
        let page = read(&format!("docs/runbooks/{name}.md"));
        let sections: Vec<_> = page.lines().filter(|line| line.starts_with('#')).collect();
        let expected = ["# ", "## Meaning", "## Impact", "## Diagnosis", "## Mitigation"];
        assert_eq!(sections[0], format!("# {name}"));
        assert_eq!(sections[1..], expected[1..], "{name}");
        let severity = rule["labels"]["severity"].as_str().unwrap();
        assert!(page.contains(&format!("Severity: {severity}:")), "{name}: another severity");
        assert!(page.contains(&format!("`monitoring/rules/{file}.yml`")), "{name} stands in another file");
        for link in page.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            assert!(root().join("docs/runbooks").join(link).is_file(), "{name} leads to {link}");
        }
    }
}

/// `promtool test rules` runs the cases; here is that none is missing.
#[test]
fn every_alert_has_a_case_that_raises_it_and_one_that_does_not() {
    for (name, (file, _)) in alerts() {
        let cases = yaml(&format!("monitoring/tests/{file}.yml"));
        let looks = cases["tests"].as_array().unwrap().iter();
        let looks = looks.flat_map(|case| case["alert_rule_test"].as_array().into_iter().flatten());
        let own: Vec<_> = looks.filter(|look| look["alertname"] == *name).collect();
        let raised = |look: &&Value| look["exp_alerts"].as_array().is_some_and(|alerts| !alerts.is_empty());
        assert!(own.iter().any(raised), "{name}: no case raises it");
        assert!(!own.iter().all(raised), "{name}: no case leaves it alone");
    }
}

#[test]
fn no_secret_stands_in_the_alertmanagers_file() {
    let file = yaml("monitoring/alertmanager.yml");
    let mut receivers = 0;
    for receiver in file["receivers"].as_array().unwrap() {
        for (kind, configs) in receiver.as_object().unwrap().iter().filter(|(kind, _)| *kind != "name") {
            for config in configs.as_array().unwrap() {
                let fields = config.as_object().unwrap();
                let secret =
                    |name: &&String| name.ends_with("key") || name.ends_with("url") || name.ends_with("password");
                assert!(!fields.keys().any(|name| secret(&name)), "{kind}: {config}");
                assert!(fields.keys().any(|name| name.ends_with("_file")), "{kind}: {config}");
                receivers += 1;
            }
        }
    }
    assert!(receivers >= 2, "nobody is told");
    // An alert that another one holds back has to exist.
    let known = alerts();
    for rule in file["inhibit_rules"].as_array().unwrap() {
        let matchers = [&rule["source_matchers"], &rule["target_matchers"]];
        for matcher in matchers.iter().flat_map(|matchers| matchers.as_array().unwrap()).filter_map(Value::as_str) {
            let Some((_, names)) = matcher.split_once("alertname") else {
                continue;
            };
            for name in names.trim_start_matches(['=', '~']).trim_matches('"').split('|') {
                let end = name.strip_prefix(".+");
                let found = known.keys().any(|known| end.map_or(known == name, |end| known.ends_with(end)));
                assert!(found, "{matcher}: there is no {name}");
            }
        }
    }
}
