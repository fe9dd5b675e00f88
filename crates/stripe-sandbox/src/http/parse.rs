//! Parser of forms in Stripe's bracket syntax: `metadata[order_id]=1`, `payment_method_types[]=card`, `list[0]=a`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::http::response::ApiError;

/// Maximum depth of nested brackets; Stripe's own parameters need four.
const MAX_DEPTH: usize = 6;

/// Value, or the parameters in brackets. A list is a map with its indexes as keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Param {
    Value(String),
    Map(Tree),
}

/// Form parameters by name.
pub(crate) type Tree = BTreeMap<String, Param>;

/// Adds the parameters of `encoded` (a query or a form body) to `tree`; a later one replaces an earlier one.
pub(crate) fn add(tree: &mut Tree, encoded: &[u8]) -> Result<(), ApiError> {
    for (name, value) in url::form_urlencoded::parse(encoded) {
        let path = path(&name).ok_or_else(|| ApiError::invalid(format!("Invalid parameter name: {name}")))?;
        insert(tree, &path, value.into_owned());
    }
    Ok(())
}

/// Splits `a[b][]` into `a`, `b` and the empty string; returns `None` if the brackets do not match.
fn path(name: &str) -> Option<Vec<&str>> {
    let (first, mut rest) = name.split_at(name.find('[').unwrap_or(name.len()));
    let mut path = vec![first];
    while !rest.is_empty() {
        let (part, after) = rest.strip_prefix('[')?.split_once(']')?;
        path.push(part);
        rest = after;
    }
    (!first.is_empty() && path.len() <= MAX_DEPTH).then_some(path)
}

fn insert(tree: &mut Tree, path: &[&str], value: String) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    let key = if first.is_empty() { format!("{:06}", tree.len()) } else { (*first).to_owned() };
    if rest.is_empty() {
        tree.insert(key, Param::Value(value));
        return;
    }
    let entry = tree.entry(key).or_insert_with(|| Param::Map(Tree::new()));
    if !matches!(entry, Param::Map(_)) {
        *entry = Param::Map(Tree::new());
    }
    if let Param::Map(inner) = entry {
        insert(inner, rest, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> serde_json::Value {
        let mut tree = Tree::new();
        add(&mut tree, text.as_bytes()).unwrap();
        serde_json::to_value(tree).unwrap()
    }

    #[test]
    fn brackets_are_parsed_as_maps_and_lists() {
        assert_eq!(
            parsed("amount=1&metadata[order_id]=a%20b&metadata%5Bx%5D=+&t[]=card&t[]=paypal&a[0]=z"),
            serde_json::json!({
                "amount": "1", "metadata": {"order_id": "a b", "x": " "},
                "t": {"000000": "card", "000001": "paypal"}, "a": {"0": "z"},
            })
        );
    }

    #[test]
    fn unbalanced_and_too_deep_brackets_are_rejected() {
        for name in ["a[b", "a[b]c", "[a]", "=1", "a[b][c][d][e][f][g]"] {
            let mut tree = Tree::new();
            assert!(add(&mut tree, format!("{name}=1").as_bytes()).is_err(), "{name}");
        }
    }

    #[test]
    fn last_parameter_of_a_name_takes_precedence() {
        assert_eq!(parsed("a=1&a[b]=2"), serde_json::json!({"a": {"b": "2"}}));
        assert_eq!(parsed("a[b]=2&a=1"), serde_json::json!({"a": "1"}));
    }
}
