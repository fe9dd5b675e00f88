//! As much of PromQL as it takes to know of which metrics an expression speaks.

use std::collections::BTreeSet;

/// Keywords, and those followed by labels in parentheses.
const WORDS: &[&str] = &["and", "or", "unless", "bool", "offset", "sum", "min", "max", "count"];
const LABELS: &[&str] = &["by", "without", "on", "ignoring", "group_left", "group_right"];

/// Returns the metrics of an expression.
pub(crate) fn metrics(expression: &str) -> BTreeSet<String> {
    let mut metrics = BTreeSet::new();
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        if let Some(end) = match first {
            '{' => Some('}'),
            '[' => Some(']'),
            '"' => Some('"'),
            _ => None,
        } {
            rest = after(&rest[1..], end);
        } else if first.is_ascii_alphanumeric() || "_:$".contains(first) {
            let length = rest.find(|one: char| !(one.is_ascii_alphanumeric() || "_:$.".contains(one)));
            let (word, tail) = rest.split_at(length.unwrap_or(rest.len()));
            rest = tail.trim_start();
            if LABELS.contains(&word) {
                rest = rest.strip_prefix('(').map_or(rest, |labels| after(labels, ')'));
            } else if !(first.is_ascii_digit() || rest.starts_with('(') || WORDS.contains(&word)) {
                metrics.insert(word.to_owned());
            }
        } else {
            rest = &rest[first.len_utf8()..];
        }
    }
    metrics
}

/// Returns the text after this character, without quoted texts.
fn after(text: &str, end: char) -> &str {
    let mut quoted = false;
    let mut escaped = false;
    for (index, one) in text.char_indices() {
        match one {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if one == end && (!quoted || end == '"') => return &text[index + one.len_utf8()..],
            '"' => quoted = !quoted,
            _ => {}
        }
    }
    panic!("{text} has no {end}")
}

#[test]
fn metrics_are_distinguished_from_functions_labels_and_keywords() {
    let expression = r#"histogram_quantile(0.99, sum by (le, job) (rate(a_bucket{b="}\"c",d!~"e.*"}[5m] offset 1d)))
        / on (job) group_left () job:f:g5m > 14.4 * 0.001 and h == bool 0 or absent(i{}) unless vector(1e3)"#;
    let expected = ["a_bucket", "h", "i", "job:f:g5m"];
    assert_eq!(metrics(expression), expected.map(str::to_owned).into());
}
