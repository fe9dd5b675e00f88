//! `request-transformer`: removes headers from a request before it is forwarded. The gateway supports `remove.headers`;
//! an entry of any other operation is an error in the file.

use http::HeaderMap;
use http::header::HOST;
use serde::Deserialize;

use crate::schema::{Header, Unsupported};

/// Settings of the plugin, with the fields of Kong 3.4.2 (`kong/plugins/request-transformer/schema.lua`).
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "some fields are checked but have no effect")]
pub(crate) struct RequestTransformer {
    remove: Option<Remove>,
    rename: Option<Entries>,
    replace: Option<Entries>,
    add: Option<Entries>,
    append: Option<Entries>,
    http_method: Option<Unsupported>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "some fields are checked but have no effect")]
struct Remove {
    headers: Option<Vec<RemovedHeader>>,
    body: Option<Vec<Unsupported>>,
    querystring: Option<Vec<Unsupported>>,
}

/// Entries of an operation; empty lists are Kong's default.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the fields are checked but have no effect")]
struct Entries {
    headers: Option<Vec<Unsupported>>,
    body: Option<Vec<Unsupported>>,
    querystring: Option<Vec<Unsupported>>,
    uri: Option<Unsupported>,
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "Header")]
struct RemovedHeader(Header);

impl TryFrom<Header> for RemovedHeader {
    type Error = &'static str;

    fn try_from(header: Header) -> Result<Self, Self::Error> {
        if header.name == HOST { Err("Kong never removes `Host`; remove it from the list") } else { Ok(Self(header)) }
    }
}

impl RequestTransformer {
    /// Returns whether this header is removed.
    pub(crate) fn removes(&self, name: &str) -> bool {
        self.removed_headers().any(|removed| removed.name.as_str().eq_ignore_ascii_case(name))
    }

    /// Removes the headers, each with all of its values.
    pub(crate) fn transform(&self, headers: &mut HeaderMap) {
        for header in self.removed_headers() {
            headers.remove(&header.name);
        }
    }

    fn removed_headers(&self) -> impl Iterator<Item = &Header> {
        self.remove.iter().filter_map(|remove| remove.headers.as_ref()).flatten().map(|removed| &removed.0)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn removed_header_loses_all_values_in_any_case() {
        let plugin: RequestTransformer = serde_saphyr::from_str("remove: {headers: [X-Request-Timeout-Ms]}").unwrap();
        let mut headers = HeaderMap::new();
        headers.append("X-Request-Timeout-Ms", HeaderValue::from_static("0"));
        headers.append("x-request-timeout-ms", HeaderValue::from_static("1"));
        headers.append("x-request-id", HeaderValue::from_static("kept"));
        plugin.transform(&mut headers);
        assert_eq!(headers.len(), 1);
        assert!(plugin.removes("X-Request-Timeout-MS") && !plugin.removes("x-request-id"));
    }
}
