//! Walks over the calls that a service's OpenAPI document names, so that a rule is tried on every one of them.

use reqwest::{Client, Method};
use serde_json::{Map, Value, json};

/// An id that nothing has.
const UNKNOWN_ID: &str = "0190163d-8694-739b-aea5-966c26f8ad91";
/// Texts that no single-line field takes.
const NOT_SINGLE_LINE: [&str; 3] = ["A\nBcc: x@example.com", "A\tB", "A\u{202e}B"];
/// Parts of the names of fields that are compared and never stored or shown.
const SECRETS: [&str; 3] = ["password", "token", "secret"];

/// One call of a service.
pub struct Operation {
    /// Its method.
    pub method: Method,
    /// Its path as the document has it, such as `/api/orders/{id}`.
    pub template: String,
    /// The path with ids that nothing has.
    pub path: String,
    /// The operation object of the document.
    pub definition: Value,
}

/// Reads a service's document and returns it with all calls in it.
///
/// # Panics
/// If the service does not answer with a document.
pub async fn operations(client: &Client, url: &str) -> (Value, Vec<Operation>) {
    let answer = client.get(format!("{url}/docs/openapi.json")).send().await.expect("a document");
    let document: Value = answer.json().await.expect("JSON");
    let mut operations = Vec::new();
    for (template, item) in document["paths"].as_object().expect("paths") {
        for (method, definition) in item.as_object().expect("a path item") {
            let Ok(method) = method.to_uppercase().parse::<Method>() else { continue };
            let path = filled(&document, template, definition);
            operations.push(Operation { method, template: template.clone(), path, definition: definition.clone() });
        }
    }
    assert!(!operations.is_empty(), "the document names no calls");
    (document, operations)
}

/// Sends each single-line field of each JSON body a line break, a tab and an invisible character, and checks that the
/// answer names the field as invalid; those of `multi_line` must take line breaks. Calls in `exempt` only look texts up.
///
/// Returns the fields that were tried.
///
/// # Panics
/// If a field takes what it must not, or a multi-line field takes no line breaks.
pub async fn check_text_fields(
    client: &Client,
    url: &str,
    token: &str,
    multi_line: &[&str],
    exempt: &[&str],
) -> Vec<String> {
    let (document, operations) = operations(client, url).await;
    let mut tried = Vec::new();
    for Operation { method, template, path, definition } in operations {
        if exempt.contains(&template.as_str()) {
            continue;
        }
        let mut fields = Vec::new();
        text_fields(&document, &definition["requestBody"]["content"]["application/json"]["schema"], &[], &mut fields);
        for field in fields {
            let name = field_name(&field);
            let call = format!("{method} {template} {name}");
            let takes_lines = multi_line.contains(&field[field.len() - 1].as_str());
            for text in NOT_SINGLE_LINE {
                let request = client.request(method.clone(), format!("{url}{path}"));
                let answer = request.bearer_auth(token).json(&body(&field, text)).send().await.expect("an answer");
                let status = answer.status();
                let problem: Value = answer.json().await.unwrap_or_default();
                let named = problem["errors"].as_array().into_iter().flatten().any(|error| error["field"] == *name);
                let valid = takes_lines && text.is_ascii();
                assert_eq!(named, !valid, "{call} with {text:?}: {status} {problem}");
            }
            tried.push(call);
        }
    }
    tried
}

/// Calls everything that the document names, with and without a token and with a body that is no object, and checks what
/// holds for every answer: `X-Content-Type-Options`, no caching of what is meant for one caller, and problems in the one
/// form, which the document names. `own_errors` are the calls whose errors have another form.
///
/// # Panics
/// If an answer or the document breaks a rule.
pub async fn check_answers(client: &Client, url: &str, token: &str, own_errors: &[&str]) {
    let (_, operations) = operations(client, url).await;
    for Operation { method, template, path, definition } in operations {
        let has_own_errors = own_errors.contains(&template.as_str());
        check_documented_errors(&method, &template, &definition, has_own_errors);
        let request = || client.request(method.clone(), format!("{url}{path}"));
        let encoded = request().bearer_auth(token).header("content-encoding", "gzip").body("x");
        for (what, request, status) in [
            ("without a token", request(), None),
            ("with a token", request().bearer_auth(token), None),
            ("with another body", request().bearer_auth(token).json(&json!([])), None),
            ("with an encoded body", encoded, Some(415)),
        ] {
            let answer = request.send().await.expect("an answer");
            let call = format!("{method} {template} {what}: {}", answer.status());
            let header = |name: &str| answer.headers().get(name).map_or("", |value| value.to_str().unwrap_or_default());
            assert!(status.is_none_or(|status| answer.status() == status), "{call}");
            assert_eq!(header("x-content-type-options"), "nosniff", "{call}");
            let is_failure = answer.status().is_client_error() || answer.status().is_server_error();
            if is_failure && !has_own_errors {
                assert_eq!(header("content-type"), "application/problem+json", "{call}");
            }
            if what != "without a token" {
                assert!(!header("cache-control").is_empty(), "{call} may be cached");
            }
        }
    }
    for path in ["/docs", "/docs/", "/docs/openapi.json", "/docs/swagger-ui-bundle.js"] {
        let answer = client.get(format!("{url}{path}")).send().await.expect("an answer");
        let policy = answer.headers().get("content-security-policy").expect("a policy");
        assert!(policy.to_str().is_ok_and(|policy| policy.starts_with("default-src 'none'")), "{path}");
    }
}

fn check_documented_errors(method: &Method, template: &str, definition: &Value, has_own_errors: bool) {
    for (status, response) in definition["responses"].as_object().expect("responses") {
        let types: Vec<_> = response["content"].as_object().into_iter().flatten().map(|(name, _)| name).collect();
        let is_error = !status.starts_with(['1', '2', '3']);
        let is_named = types.iter().any(|name| *name == "application/problem+json");
        if is_error && !has_own_errors {
            assert!(is_named && types.len() == 1, "{method} {template} {status} is {types:?}");
        }
        let keyed =
            definition["parameters"].as_array().into_iter().flatten().any(|one| one["name"] == "Idempotency-Key");
        if keyed && status.starts_with('2') {
            assert!(response["headers"]["Idempotency-Replayed"].is_object(), "{method} {template} {status}");
        }
    }
}

/// Sends each `metadata` of each JSON body what no free JSON may hold, and checks that the answer names the field.
///
/// Returns the calls that were tried.
///
/// # Panics
/// If a call takes what it must not.
pub async fn check_free_json(client: &Client, url: &str, token: &str) -> Vec<String> {
    let nested = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
    let texts = [
        nested(33),
        nested(7_000),
        r#"{"a": "\ud800"}"#.to_owned(),
        r#"{"a": 1e400}"#.to_owned(),
        r#"{"a": "x\u0000"}"#.to_owned(),
    ];
    let (document, operations) = operations(client, url).await;
    let mut tried = Vec::new();
    for Operation { method, template, path, definition } in operations {
        let schema = resolved(&document, &definition["requestBody"]["content"]["application/json"]["schema"]);
        if schema["properties"]["metadata"].is_null() {
            continue;
        }
        for text in &texts {
            let body = format!("{{\"metadata\": {text}}}");
            let request = client.request(method.clone(), format!("{url}{path}")).bearer_auth(token);
            let answer = request.header("content-type", "application/json").body(body).send().await.expect("an answer");
            let status = answer.status();
            let problem: Value = answer.json().await.unwrap_or_default();
            let named = problem["errors"].as_array().into_iter().flatten().any(|error| {
                error["field"] == "metadata" || error["message"].as_str().is_some_and(|rule| rule.contains("U+0000"))
            });
            let short = text.get(..40).unwrap_or(text);
            assert!(named && (400..=422).contains(&status.as_u16()), "{method} {template} {short}: {status} {problem}");
        }
        tried.push(format!("{method} {template}"));
    }
    tried
}

/// The path with a value for each of its parameters.
fn filled(document: &Value, template: &str, definition: &Value) -> String {
    let mut path = template.to_owned();
    for parameter in definition["parameters"].as_array().into_iter().flatten().filter(|one| one["in"] == "path") {
        let schema = resolved(document, &parameter["schema"]);
        let value = match (schema["type"].as_str(), schema["format"].as_str()) {
            (Some("integer"), _) => "999999999",
            (_, Some("uuid")) => UNKNOWN_ID,
            _ => "unknown",
        };
        path = path.replace(&format!("{{{}}}", parameter["name"].as_str().expect("a name")), value);
    }
    path
}

fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).expect("a schema"),
        None => schema,
    }
}

/// Collects the paths of all properties that are texts of any content; `[]` is a path's step into a list.
fn text_fields(document: &Value, schema: &Value, at: &[String], found: &mut Vec<Vec<String>>) {
    let schema = resolved(document, schema);
    for choice in ["oneOf", "anyOf", "allOf"].iter().flat_map(|kind| schema[*kind].as_array()).flatten() {
        text_fields(document, choice, at, found);
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        text_fields(document, property, &[at, std::slice::from_ref(name)].concat(), found);
    }
    if schema["items"].is_object() {
        text_fields(document, &schema["items"], &[at, &["[]".to_owned()]].concat(), found);
    }
    let is_text =
        schema["type"] == "string" || schema["type"].as_array().is_some_and(|types| types.contains(&json!("string")));
    let is_free = schema["enum"].is_null() && schema["format"].is_null();
    let is_secret = at.last().is_some_and(|name| SECRETS.iter().any(|part| name.to_lowercase().contains(part)));
    if is_text && is_free && !at.is_empty() && !is_secret {
        found.push(at.to_vec());
    }
}

/// The name of a field as errors have it: `items[0].name`.
fn field_name(path: &[String]) -> String {
    path.iter().fold(String::new(), |name, step| match step.as_str() {
        "[]" => name + "[0]",
        step if name.is_empty() => step.to_owned(),
        step => name + "." + step,
    })
}

/// A body with this field only.
fn body(path: &[String], text: &str) -> Value {
    path.iter().rev().fold(json!(text), |value, step| match step.as_str() {
        "[]" => json!([value]),
        step => Value::Object(Map::from_iter([(step.to_owned(), value)])),
    })
}
