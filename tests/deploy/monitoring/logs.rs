//! Log lines: written fields, the Elasticsearch mapping, and Kibana's searches.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::{read, yaml};

/// Fields of Elastic Common Schema 8.11 that lines may have, and their types
/// (<https://www.elastic.co/guide/en/ecs/8.11/ecs-field-reference.html>).
const SCHEMA: &[(&str, &str)] = &[
    ("@timestamp", "date"),
    ("message", "match_only_text"),
    ("ecs.version", "keyword"),
    ("error.message", "match_only_text"),
    ("event.duration", "long"),
    ("event.ingested", "date"),
    ("http.request.id", "keyword"),
    ("http.request.method", "keyword"),
    ("http.response.status_code", "long"),
    ("log.level", "keyword"),
    ("log.logger", "keyword"),
    ("service.environment", "keyword"),
    ("service.name", "keyword"),
    ("service.version", "keyword"),
    ("span.id", "keyword"),
    ("trace.id", "keyword"),
];
/// Additional fields: names of OpenTelemetry's conventions, and those that the pipeline maps to the schema.
const OWN: &[(&str, &str)] = &[("http.route", "keyword"), ("event.duration_ms", "long")];

fn json(path: &str) -> Value {
    serde_json::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the mapped fields, by dotted name.
fn mapped() -> BTreeMap<String, String> {
    fn walk(prefix: &str, properties: &Value, found: &mut BTreeMap<String, String>) {
        for (name, field) in properties.as_object().unwrap() {
            let name = format!("{prefix}{name}");
            match field["type"].as_str() {
                Some(kind) => drop(found.insert(name, kind.to_owned())),
                None => walk(&format!("{name}."), &field["properties"], found),
            }
        }
    }
    let mut found = BTreeMap::new();
    walk("", &json("monitoring/elasticsearch/template.json")["template"]["mappings"]["properties"], &mut found);
    found
}

/// Returns the fields that the code writes.
fn written() -> BTreeSet<String> {
    let code = read("crates/common/src/telemetry/ecs_format.rs");
    let code = code.split("#[cfg(test)]").next().unwrap();
    let put = code.split(".put(\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
    let renamed = code.lines().filter_map(|line| {
        let (_, name) = line.trim().split_once("\" => \"")?;
        Some(name.trim_end_matches(['"', ',']).to_owned())
    });
    let names: BTreeSet<_> = put.chain(renamed).collect();
    assert!(names.len() > 10, "{names:?}");
    names
}

#[test]
fn mapped_fields_are_in_the_schema() {
    let known: BTreeMap<_, _> = SCHEMA.iter().chain(OWN).copied().collect();
    for (name, kind) in mapped() {
        // `labels` takes any name; its values are keywords.
        let expected = known.get(name.as_str()).copied().or(name.starts_with("labels.").then_some("keyword"));
        assert_eq!(Some(kind.as_str()), expected, "{name}");
    }
}

#[test]
fn logged_fields_are_mapped() {
    let mapped = mapped();
    for name in written() {
        assert!(mapped.contains_key(&name), "{name} is written and not mapped");
    }
    // The access log's own fields.
    for name in ["http.request.method", "http.route", "http.response.status_code", "message"] {
        assert!(mapped.contains_key(name), "{name}");
    }
}

#[test]
fn index_template_lifecycle_and_pipeline_are_linked_and_installed() {
    let settings = &json("monitoring/elasticsearch/template.json")["template"]["settings"];
    let setup = read("monitoring/elasticsearch/setup.sh");
    for (setting, path, file) in [
        ("index.lifecycle.name", "_ilm/policy", "lifecycle.json"),
        ("index.default_pipeline", "_ingest/pipeline", "pipeline.json"),
    ] {
        let name = settings[setting].as_str().unwrap();
        assert!(setup.contains(&format!("PUT {path}/{name} \"@$here/{file}\"")), "{name} is not installed");
    }
    assert!(setup.contains("PUT _index_template/shopfleet-logs \"@$here/template.json\""));
    let phases = &json("monitoring/elasticsearch/lifecycle.json")["policy"]["phases"];
    assert!(phases["hot"]["actions"]["rollover"].is_object() && phases["delete"]["actions"]["delete"].is_object());
}

#[test]
fn shipper_and_reader_use_the_same_lines() {
    let pattern = json("monitoring/elasticsearch/template.json")["index_patterns"][0].as_str().unwrap().to_owned();
    let stream = yaml("monitoring/filebeat/filebeat.yml")["output.elasticsearch"]["index"].as_str().unwrap().to_owned();
    assert!(stream.starts_with(pattern.trim_end_matches('*')), "{stream} and {pattern}");
    let sources = yaml("monitoring/grafana/provisioning/datasources/shopfleet.yml");
    let sources = sources["datasources"].as_array().unwrap();
    let grafana = sources.iter().find(|source| source["uid"] == "elasticsearch").unwrap();
    assert_eq!(grafana["jsonData"]["index"], pattern);
    assert!(read("monitoring/elasticsearch/setup.sh").matches(&format!("\"{pattern}\"")).count() == 2, "both roles");
    let mapped = mapped();
    for field in ["timeField", "logMessageField", "logLevelField"] {
        assert!(mapped.contains_key(grafana["jsonData"][field].as_str().unwrap()), "{field}");
    }
    assert!(mapped.contains_key(grafana["jsonData"]["dataLinks"][0]["field"].as_str().unwrap()));
}

#[test]
fn kibana_view_and_order_search_use_existing_fields() {
    let (text, mapped) = (read("monitoring/kibana/shopfleet.ndjson"), mapped());
    let objects: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let view = objects.iter().find(|object| object["type"] == "index-pattern").unwrap();
    assert_eq!(view["attributes"]["title"], json("monitoring/elasticsearch/template.json")["index_patterns"][0]);
    assert!(mapped.contains_key(view["attributes"]["timeFieldName"].as_str().unwrap()));
    let searches: Vec<_> = objects.iter().filter(|object| object["type"] == "search").collect();
    let mut asked = BTreeSet::new();
    for search in &searches {
        assert_eq!(search["references"][0]["id"], view["id"]);
        let attributes = &search["attributes"];
        let columns = attributes["columns"].as_array().unwrap().iter().map(|column| column.as_str().unwrap());
        let source = attributes["kibanaSavedObjectMeta"]["searchSourceJSON"].as_str().unwrap();
        let source: Value = serde_json::from_str(source).unwrap();
        assert_eq!(source["indexRefName"], search["references"][0]["name"]);
        let field = source["query"]["query"].as_str().unwrap().split(' ').next().unwrap().to_owned();
        for name in columns.chain([field.as_str()]) {
            assert!(mapped.contains_key(name), "{}: {name}", attributes["title"]);
        }
        asked.insert(field);
    }
    assert!(asked.contains("labels.order_id") && asked.contains("trace.id"), "{asked:?}");
}
