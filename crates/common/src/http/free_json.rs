//! Rules for arbitrary JSON that is stored as it was sent.

use serde_json::Value;

/// Maximum number of nested objects and lists in a field.
pub(crate) const MAX_LEVELS: usize = 32;

/// Checks arbitrary JSON: depth, valid Unicode, finite numbers, no U+0000.
///
/// # Errors
/// Returns the broken rule, to follow the field's name.
pub(crate) fn check(json: &str) -> Result<(), String> {
    if deep_field(json, MAX_LEVELS).is_some() {
        return Err(too_deep());
    }
    if has_nul(json) {
        return Err("must not have the character U+0000".to_owned());
    }
    // The depth is limited, so parsing cannot exhaust the stack.
    match serde_json::from_str::<Value>(json) {
        Ok(_) => Ok(()),
        Err(error) if error.to_string().starts_with("number out of range") => {
            Err("must have finite numbers".to_owned())
        }
        Err(_) => Err("must be valid Unicode".to_owned()),
    }
}

/// Returns the rule that JSON with too many levels breaks.
pub(crate) fn too_deep() -> String {
    format!("must have at most {MAX_LEVELS} levels")
}

/// Returns the first member of the outermost object with more than `max` nested objects and lists, counting the
/// outermost one; empty if the outermost value is a list. The text may be invalid JSON.
pub(crate) fn deep_field(json: &str, max: usize) -> Option<&str> {
    let (mut levels, mut field, mut at) = (0_usize, "", 0);
    let bytes = json.as_bytes();
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => {
                let end = string_end(bytes, at);
                let is_key = levels == 1 && bytes[end..].trim_ascii_start().first() == Some(&b':');
                if is_key {
                    field = json.get(at + 1..end.saturating_sub(1)).unwrap_or_default();
                }
                at = end;
                continue;
            }
            b'{' | b'[' => {
                levels += 1;
                if levels > max {
                    return Some(field);
                }
            }
            b'}' | b']' => levels = levels.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// Returns the position after the string that begins at `start`.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Returns whether a string contains the character U+0000, which stores reject. JSON can contain it only escaped.
pub(crate) fn has_nul(json: &str) -> bool {
    json.match_indices("\\u0000").any(|(at, _)| {
        let before = json[..at].bytes().rev().take_while(|byte| *byte == b'\\').count();
        before % 2 == 0
    })
}

/// Returns the same text for JSON with the same meaning: members sorted by name, whole numbers without a fraction.
pub(crate) fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            let members: Vec<_> = members
                .into_iter()
                .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), canonical(value)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(canonical).collect();
            format!("[{}]", items.join(","))
        }
        Value::Number(number) => match number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0) {
            Some(float) => format!("{float:.0}"),
            None => number.to_string(),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn nested(levels: usize) -> String {
        format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels))
    }

    #[test]
    fn free_json_is_bounded_and_valid() {
        for valid in [
            r#"{}"#.to_owned(),
            nested(32),
            r#"{"emoji": "\ud83d\ude00 😀", "quote": "\"{[", "backslash": "\\u0000", "n": [1, -0.5, 1e300]}"#
                .to_owned(),
            format!("{{\"a\": \"{}\"}}", "[".repeat(100)),
        ] {
            assert_eq!(check(&valid), Ok(()), "{valid}");
        }
        for (invalid, rule) in [
            (nested(33), "must have at most 32 levels"),
            (nested(7_000), "must have at most 32 levels"),
            (format!("{{\"a\": {}{}}}", "[".repeat(32), "]".repeat(32)), "must have at most 32 levels"),
            (r#"{"a": 1e400}"#.to_owned(), "must have finite numbers"),
            (r#"{"a": [-1e999]}"#.to_owned(), "must have finite numbers"),
            (r#"{"a": "\ud800"}"#.to_owned(), "must be valid Unicode"),
            (r#"{"\udc00": 1}"#.to_owned(), "must be valid Unicode"),
            (r#"{"a": "\ud800\ud800"}"#.to_owned(), "must be valid Unicode"),
            (r#"{"a": "x\u0000"}"#.to_owned(), "must not have the character U+0000"),
        ] {
            assert_eq!(check(&invalid), Err(rule.to_owned()), "{}", invalid.get(..40).unwrap_or(&invalid));
        }
    }

    #[test]
    fn field_with_too_many_levels_is_named() {
        let body = format!(r#"{{"a": {{"b": [1]}}, "meta\"data" : {}, "c": 1}}"#, nested(33));
        assert_eq!(deep_field(&body, 33), Some(r#"meta\"data"#));
        assert_eq!(deep_field(&nested(33), 33), None);
        assert_eq!(deep_field(&"[".repeat(50), 33), Some(""));
        assert_eq!(deep_field("{\"", 33), None);
        assert_eq!(deep_field("{\"a\\", 33), None);
    }

    #[test]
    fn equal_json_has_one_canonical_text() {
        let one = json!({"b": [5, "x"], "a": {"d": 5.0, "c": null}});
        let other: Value = serde_json::from_str(r#"{ "a": {"c": null, "d": 5}, "b": [5.0, "x"] }"#).unwrap();
        assert_eq!(canonical(&one), canonical(&other));
        assert_eq!(canonical(&one), r#"{"a":{"c":null,"d":5},"b":[5,"x"]}"#);
        for (one, other) in [(json!(5), json!("5")), (json!(5.5), json!(5)), (json!([1, 2]), json!([2, 1]))] {
            assert_ne!(canonical(&one), canonical(&other));
        }
    }
}
