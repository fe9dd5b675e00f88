//! `services:` of the file.

use std::time::Duration;

use http::Uri;
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::plugin::Plugins;
use super::protocol::UpstreamProtocol;
use super::route::Route;
use crate::plugins::PluginSet;
use crate::schema::{Flag, Integer, Text, unsupported};

/// Kong's default of each of the three timeouts.
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(1);
const DEFAULT_RETRIES: i64 = 5;
const DEFAULT_PORT: u16 = 80;

/// Timeout in milliseconds.
type Milliseconds = Integer<1, 2_147_483_646>;

/// Upstream and the routes to it.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Entry")]
pub(crate) struct Service {
    pub(crate) name: Spanned<Text>,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Prefix of the path of each request; `/` if the file has none.
    pub(crate) path: String,
    pub(crate) retries: u32,
    pub(crate) timeouts: Timeouts,
    pub(crate) enabled: bool,
    pub(crate) routes: Vec<Route>,
    pub(crate) plugins: PluginSet,
}

/// Time limits of an upstream: to accept a connection, and between two steps of writing and of reading.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    pub(crate) connect: Duration,
    pub(crate) write: Duration,
    pub(crate) read: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: DEFAULT_TIMEOUT, write: DEFAULT_TIMEOUT, read: DEFAULT_TIMEOUT }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "some fields are checked but have no effect")]
struct Entry {
    name: Spanned<Text>,
    url: Option<UpstreamUrl>,
    protocol: Option<UpstreamProtocol>,
    host: Option<Text>,
    port: Option<Integer<0, 65_535>>,
    path: Option<BasePath>,
    retries: Option<Integer<0, 32_767>>,
    connect_timeout: Option<Milliseconds>,
    write_timeout: Option<Milliseconds>,
    read_timeout: Option<Milliseconds>,
    enabled: Option<Flag>,
    routes: Option<Vec<Route>>,
    plugins: Option<Plugins>,
    tags: Option<Vec<String>>,
}

impl TryFrom<Entry> for Service {
    type Error = String;

    fn try_from(entry: Entry) -> Result<Self, String> {
        let beside_url = [
            ("protocol", entry.protocol.is_some()),
            ("host", entry.host.is_some()),
            ("port", entry.port.is_some()),
            ("path", entry.path.is_some()),
        ];
        let beside_url = beside_url.iter().find(|(_, present)| *present);
        let UpstreamUrl { host, port, path } = match (entry.url, beside_url, entry.host) {
            (Some(_), Some((field, _)), _) => {
                return Err(format!("field `{field}` conflicts with `url`, which contains it; remove one"));
            }
            (Some(url), None, _) => url,
            (None, _, None) => return Err("field `url` is missing".to_owned()),
            (None, _, Some(host)) => UpstreamUrl {
                host: host.0,
                port: entry.port.and_then(|port| u16::try_from(port.0).ok()).unwrap_or(DEFAULT_PORT),
                path: entry.path.map_or_else(|| "/".to_owned(), |path| path.0),
            },
        };
        let timeout = |field: Option<Milliseconds>| {
            field.map_or(DEFAULT_TIMEOUT, |milliseconds| Duration::from_millis(milliseconds.0.unsigned_abs()))
        };
        Ok(Self {
            name: entry.name,
            host,
            port,
            path,
            retries: u32::try_from(entry.retries.map_or(DEFAULT_RETRIES, |retries| retries.0)).unwrap_or_default(),
            timeouts: Timeouts {
                connect: timeout(entry.connect_timeout),
                write: timeout(entry.write_timeout),
                read: timeout(entry.read_timeout),
            },
            enabled: entry.enabled != Some(Flag(false)),
            routes: entry.routes.unwrap_or_default(),
            plugins: entry.plugins.unwrap_or_default().0,
        })
    }
}

/// URL of an upstream in its parts.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct UpstreamUrl {
    host: String,
    port: u16,
    path: String,
}

impl TryFrom<String> for UpstreamUrl {
    type Error = String;

    fn try_from(url: String) -> Result<Self, String> {
        let invalid = || format!("`{url}` is not a URL such as http://user-service:3001");
        let uri: Uri = url.parse().map_err(|_| invalid())?;
        match (uri.scheme_str(), uri.host()) {
            (Some("http"), Some(host)) if uri.query().is_none() => Ok(Self {
                host: host.to_owned(),
                port: uri.port_u16().unwrap_or(DEFAULT_PORT),
                path: BasePath::try_from(uri.path().to_owned())?.0,
            }),
            (Some("https"), _) => Err(unsupported("`https`")),
            _ => Err(invalid()),
        }
    }
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct BasePath(String);

impl TryFrom<String> for BasePath {
    type Error = String;

    fn try_from(path: String) -> Result<Self, String> {
        if path.starts_with('/') && !path.contains("//") && !path.contains('?') {
            Ok(Self(path))
        } else {
            Err(format!("path `{path}` must begin with `/` and contain neither `//` nor `?`"))
        }
    }
}
