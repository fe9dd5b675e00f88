//! `correlation-id`: id of a request, taken from the client or generated, forwarded to the upstream and echoed.

use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use uuid::Uuid;

use crate::schema::{Flag, Header};

/// Maximum length of a client's id; a longer one is replaced.
const MAX_LENGTH: usize = 128;

static DEFAULT_HEADER: HeaderName = HeaderName::from_static("kong-request-id");

/// Settings of the plugin.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CorrelationId {
    header_name: Option<Header>,
    generator: Option<Generator>,
    echo_downstream: Option<Flag>,
    #[serde(skip)]
    counter: Counter,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
enum Generator {
    #[serde(rename = "uuid")]
    Uuid,
    #[serde(rename = "uuid#counter")]
    Counter,
}

/// UUID of the process and a sequence number.
#[derive(Debug)]
struct Counter {
    process: Uuid,
    next: AtomicU64,
}

impl Default for Counter {
    fn default() -> Self {
        Self { process: Uuid::now_v7(), next: AtomicU64::new(1) }
    }
}

impl CorrelationId {
    /// Returns the client's id if it is valid (1 to 128 visible ASCII characters), else a new one.
    pub(crate) fn id_of(&self, request: &HeaderMap) -> HeaderValue {
        let own = request.get(self.header()).filter(|value| {
            let bytes = value.as_bytes();
            (1..=MAX_LENGTH).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
        });
        own.cloned().unwrap_or_else(|| self.generate())
    }

    /// Sets the id of a forwarded request, replacing the client's.
    pub(crate) fn forward(&self, id: &HeaderValue, request: &mut HeaderMap) {
        request.insert(self.header().clone(), id.clone());
    }

    /// Returns the header of the response, if ids are echoed.
    pub(crate) fn echoed(&self) -> Option<&HeaderName> {
        (self.echo_downstream == Some(Flag(true))).then(|| self.header())
    }

    /// Sets the id of a response of either the upstream or the gateway, if ids are echoed.
    pub(crate) fn echo(&self, id: &HeaderValue, response: &mut HeaderMap) {
        if let Some(header) = self.echoed() {
            response.insert(header.clone(), id.clone());
        }
    }

    pub(crate) fn generate(&self) -> HeaderValue {
        let id = if self.generator == Some(Generator::Uuid) {
            Uuid::now_v7().to_string()
        } else {
            format!("{}#{}", self.counter.process, self.counter.next.fetch_add(1, Ordering::Relaxed))
        };
        HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("-"))
    }

    fn header(&self) -> &HeaderName {
        self.header_name.as_ref().map_or(&DEFAULT_HEADER, |header| &header.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin(config: &str) -> CorrelationId {
        serde_saphyr::from_str(&format!("{{header_name: X-Request-ID, echo_downstream: true, {config}}}")).unwrap()
    }

    fn request(id: &[u8]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", HeaderValue::from_bytes(id).unwrap());
        headers
    }

    #[test]
    fn valid_id_is_kept() {
        let plugin = plugin("generator: uuid");
        for id in ["a", "0190-abc.def_/+=:@", &"x".repeat(128)] {
            assert_eq!(plugin.id_of(&request(id.as_bytes())), id);
        }
    }

    #[test]
    fn invalid_id_is_replaced() {
        let plugin = plugin("generator: uuid");
        let long = "x".repeat(129);
        for id in [&b""[..], b"a b", b"a\tb", "\u{e4}".as_bytes(), long.as_bytes()] {
            let made = plugin.id_of(&request(id));
            assert!(Uuid::parse_str(made.to_str().unwrap()).is_ok(), "{made:?}");
        }
        assert_eq!(plugin.id_of(&HeaderMap::new()).len(), 36);
    }

    #[test]
    fn counter_is_one_per_process() {
        let plugin = plugin("");
        let process = plugin.counter.process;
        assert_eq!(plugin.id_of(&HeaderMap::new()), format!("{process}#1"));
        assert_eq!(plugin.id_of(&HeaderMap::new()), format!("{process}#2"));
    }
}
