//! `request-transformer`: removes headers from a request before it is passed on. Of the plugin's five operations the
//! local gateway implements `remove.headers`; the others are refused when the file is read.

use http::header::HOST;
use http::{HeaderMap, HeaderName};

use crate::config::Fields;

/// The fields of each operation in Kong 3.4.2 (`kong/plugins/request-transformer/schema.lua`).
const TARGETS: [&str; 3] = ["body", "headers", "querystring"];

/// The plugin's settings.
#[derive(Debug)]
pub(crate) struct RequestTransformer {
    removed_headers: Vec<HeaderName>,
}

impl RequestTransformer {
    pub(crate) fn read(mut fields: Fields<'_>) -> Self {
        if let Some(method) = fields.text("http_method") {
            fields.not_honoured("http_method", &method);
        }
        let mut removed_headers = Vec::new();
        if let Some(mut remove) = fields.object("remove") {
            removed_headers = header_names(&mut remove);
            for target in ["body", "querystring"] {
                refuse_entries(&mut remove, target, false);
            }
            remove.finish(&[]);
        }
        for operation in ["rename", "replace", "add", "append"] {
            let Some(mut entries) = fields.object(operation) else {
                continue;
            };
            for target in TARGETS {
                refuse_entries(&mut entries, target, true);
            }
            if operation == "replace"
                && let Some(uri) = entries.text("uri")
            {
                entries.not_honoured("uri", &uri);
            }
            entries.finish(&[]);
        }
        fields.finish(&[]);
        Self { removed_headers }
    }

    /// Whether this header is removed.
    pub(crate) fn removes(&self, name: &str) -> bool {
        self.removed_headers.iter().any(|removed| removed.as_str().eq_ignore_ascii_case(name))
    }

    /// Removes the headers, each with all of its values.
    pub(crate) fn transform(&self, headers: &mut HeaderMap) {
        for name in &self.removed_headers {
            headers.remove(name);
        }
    }
}

/// The names in `remove.headers`. Kong never removes `Host`, so naming it is refused instead of being ignored.
fn header_names(remove: &mut Fields<'_>) -> Vec<HeaderName> {
    let mut names = Vec::new();
    for (text, _) in remove.texts("headers").unwrap_or_default() {
        match HeaderName::from_bytes(text.as_bytes()) {
            Ok(name) if name == HOST => remove.wrong("headers", "names `Host`, which Kong never removes"),
            Ok(name) => names.push(name),
            Err(_) => remove.wrong("headers", &format!("has `{text}`, which is not the name of a header")),
        }
    }
    names
}

/// Reports entries of an operation that the local gateway does not implement. An empty list, Kong's default, is accepted.
/// `pairs`: Kong refuses an entry without a colon.
fn refuse_entries(operation: &mut Fields<'_>, target: &str, pairs: bool) {
    let entries = operation.texts(target).unwrap_or_default();
    let Some((first, _)) = entries.first() else {
        return;
    };
    match entries.iter().find(|(entry, _)| pairs && !is_pair(entry)) {
        Some((entry, _)) => operation.wrong(target, &format!("has `{entry}`, which is not of the form name:value")),
        None => operation.not_honoured(target, first),
    }
}

fn is_pair(entry: &str) -> bool {
    entry.split_once(':').is_some_and(|(name, value)| !name.is_empty() && !value.is_empty())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn all_values_of_a_header_are_removed_whatever_its_case() {
        let plugin = RequestTransformer { removed_headers: vec![HeaderName::from_static("x-request-timeout-ms")] };
        let mut headers = HeaderMap::new();
        headers.append("X-Request-Timeout-Ms", HeaderValue::from_static("0"));
        headers.append("x-request-timeout-ms", HeaderValue::from_static("1"));
        headers.append("x-request-id", HeaderValue::from_static("kept"));
        plugin.transform(&mut headers);
        assert_eq!(headers.len(), 1);
        assert!(plugin.removes("X-Request-Timeout-MS") && !plugin.removes("x-request-id"));
    }
}
