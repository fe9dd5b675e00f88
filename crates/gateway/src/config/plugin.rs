//! `plugins:` of the file, of a service or of a route.

use std::sync::Arc;

use saphyr::MarkedYaml;

use super::{Fields, Problems};
use crate::plugins::PluginSet;
use crate::plugins::correlation_id::CorrelationId;
use crate::plugins::cors::Cors;
use crate::plugins::prometheus::Prometheus;
use crate::plugins::rate_limiting::RateLimiting;
use crate::plugins::request_transformer::RequestTransformer;
use crate::plugins::size_limiting::SizeLimiting;

const KONG_ONLY: &[&str] = &[
    "consumer",
    "consumer_group",
    "created_at",
    "id",
    "instance_name",
    "ordering",
    "route",
    "run_on",
    "service",
    "updated_at",
];

/// Plugins that come with Kong 3.4.2 and are not run here.
const KONG_PLUGINS: &[&str] = &[
    "acl",
    "acme",
    "aws-lambda",
    "azure-functions",
    "basic-auth",
    "bot-detection",
    "datadog",
    "file-log",
    "grpc-gateway",
    "grpc-web",
    "hmac-auth",
    "http-log",
    "ip-restriction",
    "jwt",
    "key-auth",
    "ldap-auth",
    "loggly",
    "oauth2",
    "opentelemetry",
    "post-function",
    "pre-function",
    "proxy-cache",
    "request-termination",
    "response-ratelimiting",
    "response-transformer",
    "session",
    "statsd",
    "syslog",
    "tcp-log",
    "udp-log",
    "zipkin",
];

pub(super) fn read_all(nodes: &[MarkedYaml<'_>], problems: &Problems) -> PluginSet {
    let mut set = PluginSet::default();
    let mut seen = Vec::new();
    for node in nodes {
        if let Some(name) = read(node, &mut set, problems) {
            if seen.contains(&name) {
                let text = format!("plugin `{name}` is there twice at the same place");
                problems.add(node.span.start.line(), text);
            }
            seen.push(name);
        }
    }
    set
}

fn read(node: &MarkedYaml<'_>, set: &mut PluginSet, problems: &Problems) -> Option<String> {
    let mut fields = Fields::of(node, "a plugin".to_owned(), problems)?;
    let name = fields.required_text("name")?;
    let what = format!("plugin `{name}`");
    fields.rename(what.clone());
    let line = fields.line_of("name");
    let enabled = fields.boolean("enabled").unwrap_or(true);
    fields.protocols();
    fields.texts("tags");
    let config = match fields.take("config") {
        Some(config) => Fields::of(config, what.clone(), problems),
        None => Some(Fields::none(what.clone(), line, problems)),
    };
    fields.finish(KONG_ONLY);
    let mut read = PluginSet::default();
    match name.as_str() {
        "cors" => read.cors = config.map(|fields| Arc::new(Cors::read(fields))),
        "rate-limiting" => {
            read.rate_limiting = config.map(|fields| Arc::new(RateLimiting::read(fields)));
        }
        "request-transformer" => {
            read.request_transformer = config.map(|fields| Arc::new(RequestTransformer::read(fields)));
        }
        "correlation-id" => {
            read.correlation_id = config.map(|fields| Arc::new(CorrelationId::read(fields)));
        }
        "prometheus" => read.prometheus = config.map(|fields| Arc::new(Prometheus::read(fields))),
        "request-size-limiting" => {
            read.size_limiting = config.map(|fields| Arc::new(SizeLimiting::read(fields)));
        }
        name if KONG_PLUGINS.contains(&name) => {
            problems.add(line, format!("{what}: Kong knows it, the local gateway does not run it"));
        }
        _ => problems.add(line, format!("{what} is not known")),
    }
    // One that is switched off is checked all the same, and leaves room for one of a level above.
    if enabled {
        *set = read.over(set);
    }
    Some(name)
}
