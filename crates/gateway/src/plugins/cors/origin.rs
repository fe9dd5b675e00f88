//! Allowed origins.

use http::{HeaderValue, Uri};
use regex::Regex;
use serde::Deserialize;

/// Any origin, or a list.
#[derive(Debug, Deserialize)]
#[serde(from = "Vec<Entry>")]
pub(super) enum Origins {
    Any,
    Listed(Listed),
}

/// Origins by name or by expression.
#[derive(Debug)]
pub(super) struct Listed(Vec<Entry>);

#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
enum Entry {
    Any,
    /// Scheme, host and port; the scheme's default port is omitted.
    Name(String),
    /// Compared with the host if the expression has no colon, else with the whole origin.
    Expression {
        regex: Regex,
        host_only: bool,
    },
}

impl TryFrom<String> for Entry {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".:/-".contains(&byte);
        if text == "*" {
            return Ok(Self::Any);
        }
        if text.bytes().all(plain) {
            return Ok(Self::Name(normalize(&text).0));
        }
        let expression = text.trim_start_matches('^').trim_end_matches('$');
        let regex = Regex::new(&format!("^(?:{expression})$"))
            .map_err(|_| format!("`{text}` is neither a valid origin nor a valid regular expression"))?;
        Ok(Self::Expression { regex, host_only: !text.contains(':') })
    }
}

impl From<Vec<Entry>> for Origins {
    fn from(entries: Vec<Entry>) -> Self {
        if entries.is_empty() || entries.iter().any(|entry| matches!(entry, Entry::Any)) {
            Self::Any
        } else {
            Self::Listed(Listed(entries))
        }
    }
}

impl Origins {
    /// Returns the list; `None` if any origin is allowed.
    pub(super) fn listed(&self) -> Option<&Listed> {
        match self {
            Self::Any => None,
            Self::Listed(listed) => Some(listed),
        }
    }
}

impl Listed {
    /// Returns the value of `Access-Control-Allow-Origin` for this origin. A single origin listed by name is returned to
    /// every client.
    pub(super) fn allowed(&self, origin: Option<&str>) -> Option<HeaderValue> {
        if let [Entry::Name(only)] = self.0.as_slice() {
            return HeaderValue::from_str(only).ok();
        }
        let (origin, host) = normalize(origin?);
        let found = self.0.iter().any(|entry| match entry {
            Entry::Any => true,
            Entry::Name(name) => *name == origin,
            Entry::Expression { regex, host_only } => regex.is_match(if *host_only { &host } else { &origin }),
        });
        found.then(|| HeaderValue::from_str(&origin).ok()).flatten()
    }
}

/// Returns the origin without its scheme's default port, and its host.
fn normalize(origin: &str) -> (String, String) {
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
