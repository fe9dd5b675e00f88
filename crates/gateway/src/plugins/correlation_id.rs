//! `correlation-id`: an id for each request, taken over from the client or made, passed on and echoed.

use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

use crate::config::Fields;

/// The longest id that is taken over; a longer one is replaced.
const MAX_LENGTH: usize = 128;

/// The plugin's settings.
#[derive(Debug)]
pub(crate) struct CorrelationId {
    header: HeaderName,
    generator: Generator,
    echo: bool,
}

#[derive(Debug)]
enum Generator {
    Uuid,
    /// One UUID of this process and a running number.
    Counter {
        process: Uuid,
        next: AtomicU64,
    },
}

impl CorrelationId {
    pub(crate) fn read(mut fields: Fields<'_>) -> Self {
        let header = fields.text("header_name");
        let header = header.as_deref().unwrap_or("Kong-Request-ID");
        let header = HeaderName::from_bytes(header.as_bytes()).unwrap_or_else(|_| {
            fields.wrong("header_name", "must be the name of a header");
            HeaderName::from_static("kong-request-id")
        });
        let generator = match fields.one_of("generator", &["uuid", "uuid#counter", "tracker"]) {
            Some("uuid") => Generator::Uuid,
            Some("tracker") => {
                fields.not_honoured("generator", "tracker");
                Generator::Uuid
            }
            _ => Generator::Counter { process: Uuid::now_v7(), next: AtomicU64::new(1) },
        };
        let echo = fields.boolean("echo_downstream").unwrap_or(false);
        fields.finish(&[]);
        Self { header, generator, echo }
    }

    /// The id of a request: the client's own if it is one (1 to 128 visible ASCII characters), else a new one.
    pub(crate) fn id_of(&self, request: &HeaderMap) -> HeaderValue {
        let own = request.get(&self.header).filter(|value| {
            let bytes = value.as_bytes();
            (1..=MAX_LENGTH).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
        });
        own.cloned().unwrap_or_else(|| self.generate())
    }

    /// Puts the id on a request, in place of what the client sent.
    pub(crate) fn pass_on(&self, id: &HeaderValue, request: &mut HeaderMap) {
        request.insert(self.header.clone(), id.clone());
    }

    /// The header of the answer, if the file says that it has one.
    pub(crate) fn echoed(&self) -> Option<&HeaderName> {
        self.echo.then_some(&self.header)
    }

    /// Puts the id on an answer, whoever gives it, if the file says so.
    pub(crate) fn echo(&self, id: &HeaderValue, answer: &mut HeaderMap) {
        if self.echo {
            answer.insert(self.header.clone(), id.clone());
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
    fn takes_over_an_id_that_is_one() {
        let plugin = plugin(Generator::Uuid);
        for id in ["a", "0190-abc.def_/+=:@", &"x".repeat(128)] {
            assert_eq!(plugin.id_of(&request(id.as_bytes())), id);
        }
    }

    #[test]
    fn replaces_an_id_that_is_none() {
        let plugin = plugin(Generator::Uuid);
        let long = "x".repeat(129);
        for id in [&b""[..], b"a b", b"a\tb", "\u{e4}".as_bytes(), long.as_bytes()] {
            let made = plugin.id_of(&request(id));
            assert!(Uuid::parse_str(made.to_str().unwrap()).is_ok(), "{made:?}");
        }
        assert_eq!(plugin.id_of(&HeaderMap::new()).len(), 36);
    }

    #[test]
    fn counts_by_process() {
        let process = Uuid::now_v7();
        let plugin = plugin(Generator::Counter { process, next: AtomicU64::new(1) });
        assert_eq!(plugin.id_of(&HeaderMap::new()), format!("{process}#1"));
        assert_eq!(plugin.id_of(&HeaderMap::new()), format!("{process}#2"));
    }
}
