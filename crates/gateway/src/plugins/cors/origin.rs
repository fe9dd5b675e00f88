//! The origins that are let in.

use http::{HeaderValue, Uri};
use regex::Regex;

use crate::config::Fields;

/// All, or a list.
#[derive(Debug)]
pub(super) enum Origins {
    Any,
    Listed(Listed),
}

/// Origins by name or by expression.
#[derive(Debug)]
pub(super) struct Listed(Vec<Entry>);

#[derive(Debug)]
enum Entry {
    /// Scheme, host and port, without a port that is the scheme's own.
    Name(String),
    /// Compared with the host alone if the expression has no colon, else with the whole origin.
    Expression { regex: Regex, host_only: bool },
}

impl Origins {
    pub(super) fn read(fields: &mut Fields<'_>) -> Self {
        let listed = fields.texts("origins").unwrap_or_default();
        if listed.is_empty() || listed.iter().any(|(text, _)| text == "*") {
            return Self::Any;
        }
        let mut entries = Vec::with_capacity(listed.len());
        for (text, _) in listed {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".:/-".contains(&byte);
            if text.bytes().all(plain) {
                entries.push(Entry::Name(normalised(&text).0));
                continue;
            }
            let expression = text.trim_start_matches('^').trim_end_matches('$');
            match Regex::new(&format!("^(?:{expression})$")) {
                Ok(regex) => entries.push(Entry::Expression { regex, host_only: !text.contains(':') }),
                Err(_) => fields.wrong("origins", &format!("has `{text}`, neither an origin nor a regular expression")),
            }
        }
        Self::Listed(Listed(entries))
    }

    /// `None` if any origin is let in.
    pub(super) fn listed(&self) -> Option<&Listed> {
        match self {
            Self::Any => None,
            Self::Listed(listed) => Some(listed),
        }
    }
}

impl Listed {
    /// What `Access-Control-Allow-Origin` says to this origin. A single one that is listed by name is said to everybody.
    pub(super) fn allowed(&self, origin: Option<&str>) -> Option<HeaderValue> {
        if let [Entry::Name(only)] = self.0.as_slice() {
            return HeaderValue::from_str(only).ok();
        }
        let (origin, host) = normalised(origin?);
        let found = self.0.iter().any(|entry| match entry {
            Entry::Name(name) => *name == origin,
            Entry::Expression { regex, host_only } => regex.is_match(if *host_only { &host } else { &origin }),
        });
        found.then(|| HeaderValue::from_str(&origin).ok()).flatten()
    }
}

/// The origin without its scheme's own port, and its host.
fn normalised(origin: &str) -> (String, String) {
    let parts = origin.parse::<Uri>().ok().and_then(|uri| {
        let scheme = uri.scheme_str()?.to_owned();
        let host = uri.host()?.to_owned();
        Some((scheme, host, uri.port_u16()))
    });
    let Some((scheme, host, port)) = parts else {
        return (origin.to_owned(), origin.to_owned());
    };
    match (scheme.as_str(), port) {
        ("http", Some(80)) | ("https", Some(443)) | (_, None) => (format!("{scheme}://{host}"), host),
        (_, Some(port)) => (format!("{scheme}://{host}:{port}"), host),
    }
}
