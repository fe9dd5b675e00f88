//! `services:` of the file.

use std::time::Duration;

use http::Uri;
use saphyr::MarkedYaml;

use super::{Fields, Problems, Route, plugin, route};
use crate::plugins::PluginSet;

const KONG_ONLY: &[&str] =
    &["ca_certificates", "client_certificate", "created_at", "id", "tls_verify", "tls_verify_depth", "updated_at"];

/// Kong's default of each of the three timeouts.
const DEFAULT_TIMEOUT_MS: i64 = 60_000;
const DEFAULT_RETRIES: i64 = 5;
/// Kong's largest timeout, in milliseconds.
const MAX_TIMEOUT_MS: i64 = 2_147_483_646;

/// An upstream and the routes that lead to it.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Put before the path of each request; `/` if the file has none.
    pub(crate) path: String,
    pub(crate) retries: u32,
    pub(crate) timeouts: Timeouts,
    pub(crate) routes: Vec<Route>,
    pub(crate) plugins: PluginSet,
}

/// How long an upstream may take: to be connected, and between two steps of writing and of reading.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    pub(crate) connect: Duration,
    pub(crate) write: Duration,
    pub(crate) read: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let each = Duration::from_mins(1);
        Self { connect: each, write: each, read: each }
    }
}

pub(super) fn read_all(nodes: &[MarkedYaml<'_>], problems: &Problems) -> Vec<Service> {
    let mut services: Vec<Service> = Vec::with_capacity(nodes.len());
    let mut route_names = Vec::new();
    for node in nodes {
        let Some((service, enabled)) = read(node, &mut route_names, problems) else {
            continue;
        };
        if services.iter().any(|other| other.name == service.name) {
            let text = format!("service `{}` is there twice", service.name);
            problems.add(node.span.start.line(), text);
        }
        if enabled {
            services.push(service);
        }
    }
    services
}

fn read(node: &MarkedYaml<'_>, route_names: &mut Vec<String>, problems: &Problems) -> Option<(Service, bool)> {
    let mut fields = Fields::of(node, "a service".to_owned(), problems)?;
    let name = fields.required_text("name").unwrap_or_default();
    fields.rename(format!("service `{name}`"));
    let address = Address::read(&mut fields);
    let retries = fields.integer("retries", 0..=32_767);
    let mut timeout = |field| {
        let ms = fields.integer(field, 1..=MAX_TIMEOUT_MS).unwrap_or(DEFAULT_TIMEOUT_MS);
        Duration::from_millis(ms.unsigned_abs())
    };
    let timeouts = Timeouts {
        connect: timeout("connect_timeout"),
        write: timeout("write_timeout"),
        read: timeout("read_timeout"),
    };
    let enabled = fields.boolean("enabled").unwrap_or(true);
    fields.texts("tags");
    let routes = route::read_all(fields.items("routes"), route_names, problems);
    let plugins = plugin::read_all(fields.items("plugins"), problems);
    fields.finish(KONG_ONLY);
    let service = Service {
        name,
        host: address.host,
        port: address.port,
        path: address.path,
        retries: u32::try_from(retries.unwrap_or(DEFAULT_RETRIES)).unwrap_or_default(),
        timeouts,
        routes,
        plugins,
    };
    Some((service, enabled))
}

struct Address {
    host: String,
    port: u16,
    path: String,
}

impl Address {
    /// From `url`, or from `host`, `port` and `path`.
    fn read(fields: &mut Fields<'_>) -> Self {
        let protocol = fields.one_of(
            "protocol",
            &["http", "https", "grpc", "grpcs", "tcp", "tls", "tls_passthrough", "udp", "ws", "wss"],
        );
        if let Some(protocol) = protocol
            && protocol != "http"
        {
            fields.not_honoured("protocol", protocol);
        }
        let host = fields.text("host");
        let port = fields.integer("port", 0..=65_535);
        let path = fields.text("path");
        if !fields.has("url") {
            if host.is_none() && !fields.has("host") {
                fields.missing("url");
            }
            let path = path.unwrap_or_else(|| "/".to_owned());
            check_path(fields, "path", &path);
            return Self {
                host: host.unwrap_or_default(),
                port: port.and_then(|port| u16::try_from(port).ok()).unwrap_or(80),
                path,
            };
        }
        for other in ["protocol", "host", "port", "path"] {
            if fields.has(other) {
                fields.wrong(other, "stands beside `url`, which says it already");
            }
        }
        let url = fields.text("url").unwrap_or_default();
        let unusable = Self { host: String::new(), port: 80, path: "/".to_owned() };
        let Ok(uri) = url.parse::<Uri>() else {
            fields.wrong("url", "must be a URL such as http://user-service:3001");
            return unusable;
        };
        match (uri.scheme_str(), uri.host()) {
            (Some("http"), Some(host)) if uri.query().is_none() => {
                check_path(fields, "url", uri.path());
                Self { host: host.to_owned(), port: uri.port_u16().unwrap_or(80), path: uri.path().to_owned() }
            }
            (Some("https"), _) => {
                fields.not_honoured("url", &url);
                unusable
            }
            _ => {
                fields.wrong("url", "must be a URL such as http://user-service:3001");
                unusable
            }
        }
    }
}

fn check_path(fields: &Fields<'_>, name: &str, path: &str) {
    if !path.starts_with('/') || path.contains("//") || path.contains('?') {
        fields.wrong(name, "must have a path that begins with `/` and holds neither `//` nor `?`");
    }
}
