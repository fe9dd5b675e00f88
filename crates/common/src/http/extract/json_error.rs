//! Errors of JSON parsing as rules for a field. They never repeat the input, which may be a secret.

use contracts::FieldError;

/// Returns the field and the rule of an error at `path`.
pub(super) fn explain(path: &str, error: &serde_json::Error) -> FieldError {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    // The path of the input itself is `.`; paths of its fields begin without one.
    let path = if path == "." { "" } else { path };
    let rule = |message: String| FieldError { field: path.to_owned(), message };
    if let Some(name) = quoted(text, "missing field `") {
        return FieldError { field: join(path, name), message: "is required".to_owned() };
    }
    if let Some(name) = quoted(text, "duplicate field `") {
        return FieldError { field: join(path, name), message: "must be given once".to_owned() };
    }
    if let Some((_, expected)) = text.split_once(", expected ") {
        return rule(expectation(text, expected));
    }
    if text.starts_with("number out of range") {
        return rule("must be a number within range".to_owned());
    }
    if text.starts_with("UUID parsing failed") {
        return rule("must be a UUID".to_owned());
    }
    if text.starts_with("must ") || text.starts_with("is ") {
        return rule(text.to_owned());
    }
    rule(format!("is not valid: {text}"))
}

fn quoted<'a>(text: &'a str, before: &str) -> Option<&'a str> {
    text.strip_prefix(before)?.split('`').next()
}

/// Returns the path of a field of the object at `path`. An error about a duplicate may end with the field already.
fn join(path: &str, name: &str) -> String {
    let already = path.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('.'));
    match path {
        "" => name.to_owned(),
        path if already => path.to_owned(),
        path => format!("{path}.{name}"),
    }
}

fn expectation(text: &str, expected: &str) -> String {
    if text.starts_with("unknown variant") {
        return format!("must be {}", expected.replace('`', ""));
    }
    let integer = matches!(expected, "i8" | "i16" | "i32" | "i64" | "isize" | "u8" | "u16" | "u32" | "u64" | "usize");
    match expected {
        _ if integer && text.starts_with("invalid value") => "must be an integer within range".to_owned(),
        _ if integer => "must be an integer".to_owned(),
        "f32" | "f64" => "must be a number".to_owned(),
        "a boolean" => "must be true or false".to_owned(),
        "a sequence" => "must be a list".to_owned(),
        "a map" => "must be an object".to_owned(),
        _ if expected.starts_with("struct ") => "must be an object".to_owned(),
        _ if expected.contains("UUID") => "must be a UUID".to_owned(),
        _ => format!("must be {expected}"),
    }
}
