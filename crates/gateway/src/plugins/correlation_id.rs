//! `correlation-id`: id of a request, taken from the client or generated, forwarded to the upstream and echoed.

use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use uuid::Uuid;

use crate::schema::{Flag, Header, unsupported};

/// Maximum length of a client's id; a longer one is replaced.
const MAX_LENGTH: usize = 128;

/// Settings of the plugin.
#[derive(Debug, Deserialize)]
#[serde(from = "Config")]
pub(crate) struct CorrelationId {
    header: HeaderName,
    generator: Generator,
    echo: bool,
}

#[derive(Debug)]
enum Generator {
    Uuid,
    /// UUID of the process and a sequence number.
    Counter {
        process: Uuid,
        next: AtomicU64,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    header_name: Option<Header>,
    generator: Option<GeneratorName>,
    echo_downstream: Option<Flag>,
}

#[derive(Deserialize)]
enum KongGenerator {
    #[serde(rename = "uuid")]
    Uuid,
    #[serde(rename = "uuid#counter")]
    Counter,
    #[serde(rename = "tracker")]
    Tracker,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(try_from = "KongGenerator")]
enum GeneratorName {
    Uuid,
    Counter,
}

impl TryFrom<KongGenerator> for GeneratorName {
    type Error = String;

    fn try_from(generator: KongGenerator) -> Result<Self, String> {
        match generator {
            KongGenerator::Uuid => Ok(Self::Uuid),
            KongGenerator::Counter => Ok(Self::Counter),
            KongGenerator::Tracker => Err(unsupported("`tracker`")),
        }
    }
}

impl From<Config> for CorrelationId {
    fn from(config: Config) -> Self {
        Self {
            header: config.header_name.map_or(HeaderName::from_static("kong-request-id"), |header| header.name),
            generator: match config.generator {
                Some(GeneratorName::Uuid) => Generator::Uuid,
                Some(GeneratorName::Counter) | None => {
                    Generator::Counter { process: Uuid::now_v7(), next: AtomicU64::new(1) }
                }
            },
            echo: config.echo_downstream == Some(Flag(true)),
        }
    }
}

impl CorrelationId {
    /// Returns the client's id if it is valid (1 to 128 visible ASCII characters), else a new one.
    pub(crate) fn id_of(&self, request: &HeaderMap) -> HeaderValue {
        let own = request.get(&self.header).filter(|value| {
            let bytes = value.as_bytes();
            (1..=MAX_LENGTH).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
        });
        own.cloned().unwrap_or_else(|| self.generate())
    }

    /// Sets the id of a forwarded request, replacing the client's.
    pub(crate) fn forward(&self, id: &HeaderValue, request: &mut HeaderMap) {
        request.insert(self.header.clone(), id.clone());
    }

    /// Returns the header of the response, if ids are echoed.
    pub(crate) fn echoed(&self) -> Option<&HeaderName> {
        self.echo.then_some(&self.header)
    }

    /// Sets the id of a response of either the upstream or the gateway, if ids are echoed.
    pub(crate) fn echo(&self, id: &HeaderValue, response: &mut HeaderMap) {
        if self.echo {
            response.insert(self.header.clone(), id.clone());
        }
    }

    pub(crate) fn generate(&self) -> HeaderValue {
        let id = match &self.generator {
            Generator::Uuid => Uuid::now_v7().to_string(),
            Generator::Counter { process, next } => {
                format!("{process}#{}", next.fetch_add(1, Ordering::Relaxed))
            }
        };
        HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("-"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin(generator: Generator) -> CorrelationId {
        CorrelationId { header: HeaderName::from_static("x-request-id"), generator, echo: true }
    }

    fn request(id: &[u8]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", HeaderValue::from_bytes(id).unwrap());
        headers
    }

    #[test]
    fn valid_id_is_kept() {
        let plugin = plugin(Generator::Uuid);
        for id in ["a", "0190-abc.def_/+=:@", &"x".repeat(128)] {
            assert_eq!(plugin.id_of(&request(id.as_bytes())), id);
        }
    }

    #[test]
    fn invalid_id_is_replaced() {
        let plugin = plugin(Generator::Uuid);
        let long = "x".repeat(129);
        for id in [&b""[..], b"a b", b"a\tb", "\u{e4}".as_bytes(), long.as_bytes()] {
            let made = plugin.id_of(&request(id));
            assert!(Uuid::parse_str(made.to_str().unwrap()).is_ok(), "{made:?}");
        }
        assert_eq!(plugin.id_of(&HeaderMap::new()).len(), 36);
    }

    #[test]
    fn counter_is_one_per_process() {
        let process = Uuid::now_v7();
        let plugin = plugin(Generator::Counter { process, next: AtomicU64::new(1) });
        assert_eq!(plugin.id_of(&HeaderMap::new()), format!("{process}#1"));
        assert_eq!(plugin.id_of(&HeaderMap::new()), format!("{process}#2"));
    }
}
