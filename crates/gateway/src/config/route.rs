//! `routes:` of a service.

use http::Method;
use regex::Regex;
use saphyr::MarkedYaml;

use super::{Fields, Problems, plugin};
use crate::plugins::PluginSet;

const KONG_ONLY: &[&str] = &[
    "created_at",
    "destinations",
    "expression",
    "headers",
    "hosts",
    "https_redirect_status_code",
    "id",
    "priority",
    "service",
    "snis",
    "sources",
    "updated_at",
];

/// A way to a service.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) name: String,
    pub(crate) paths: Vec<RoutePath>,
    /// `None` for any method.
    pub(crate) methods: Option<Vec<Method>>,
    pub(crate) strip_path: bool,
    pub(crate) preserve_host: bool,
    pub(crate) regex_priority: i64,
    pub(crate) plugins: PluginSet,
}

/// One of a route's paths.
#[derive(Clone, Debug)]
pub(crate) enum RoutePath {
    /// A literal prefix: `/api/users` matches `/api/users/1`, and `/api/usersX` as well.
    Prefix(String),
    /// What follows `~`, anchored at the start.
    Regex(Regex),
}

pub(super) fn read_all(nodes: &[MarkedYaml<'_>], names: &mut Vec<String>, problems: &Problems) -> Vec<Route> {
    let mut routes = Vec::with_capacity(nodes.len());
    for node in nodes {
        let Some(route) = read(node, problems) else {
            continue;
        };
        if names.contains(&route.name) {
            let text = format!("route `{}` is there twice", route.name);
            problems.add(node.span.start.line(), text);
        }
        names.push(route.name.clone());
        routes.push(route);
    }
    routes
}

fn read(node: &MarkedYaml<'_>, problems: &Problems) -> Option<Route> {
    let mut fields = Fields::of(node, "a route".to_owned(), problems)?;
    let name = fields.required_text("name").unwrap_or_default();
    fields.rename(format!("route `{name}`"));
    if !fields.has("paths") {
        fields.missing("paths");
    }
    let paths = fields.texts("paths").unwrap_or_default();
    let paths = paths
        .iter()
        .filter_map(|(path, line)| {
            read_path(path).map_err(|why| problems.add(*line, format!("path `{path}` of {} {why}", fields.what()))).ok()
        })
        .collect();
    let methods = fields.texts("methods").map(|methods| {
        methods
            .iter()
            .filter_map(|(method, line)| {
                let known = method.bytes().all(|byte| byte.is_ascii_uppercase());
                let parsed = known.then(|| method.parse().ok()).flatten();
                if parsed.is_none() {
                    let what = fields.what();
                    problems.add(*line, format!("method `{method}` of {what} is none"));
                }
                parsed
            })
            .collect()
    });
    if fields.one_of("path_handling", &["v0", "v1"]) == Some("v1") {
        fields.not_honoured("path_handling", "v1");
    }
    fields.protocols();
    // Whether Kong buffers cannot be seen by either side; here bodies are streamed at all times.
    fields.boolean("request_buffering");
    fields.boolean("response_buffering");
    fields.texts("tags");
    let route = Route {
        paths,
        methods,
        strip_path: fields.boolean("strip_path").unwrap_or(true),
        preserve_host: fields.boolean("preserve_host").unwrap_or(false),
        regex_priority: fields.integer("regex_priority", i64::from(i32::MIN)..=i64::from(i32::MAX)).unwrap_or(0),
        plugins: plugin::read_all(fields.items("plugins"), problems),
        name,
    };
    fields.finish(KONG_ONLY);
    Some(route)
}

fn read_path(path: &str) -> Result<RoutePath, String> {
    if let Some(expression) = path.strip_prefix('~') {
        if !expression.starts_with('/') {
            return Err("must begin with `/`, or with `~/` as a regular expression".to_owned());
        }
        // Kong 3.4 evaluates them with this same crate, anchored in the same way.
        return Regex::new(&format!("^(?:{expression})")).map(RoutePath::Regex).map_err(|error| {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default();
            format!("is not a regular expression: {reason}")
        });
    }
    let literal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%".contains(&byte);
    if !path.starts_with('/') {
        return Err("must begin with `/`, or with `~/` as a regular expression".to_owned());
    }
    if path.contains("//") {
        return Err("must not hold `//`".to_owned());
    }
    if !path.bytes().all(literal) {
        return Err("holds a character that is not one of a path".to_owned());
    }
    Ok(RoutePath::Prefix(path.to_owned()))
}
