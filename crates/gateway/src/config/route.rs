//! `routes:` of a service.

use http::Method;
use regex::Regex;
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::protocol::Protocols;
use crate::plugins::PluginSet;
use crate::schema::{Flag, Integer, MAX, Text, unsupported};

/// Route to a service.
#[derive(Debug, Deserialize)]
#[serde(from = "Entry")]
pub(crate) struct Route {
    pub(crate) name: Spanned<Text>,
    pub(crate) paths: Vec<RoutePath>,
    /// `None` for any method.
    pub(crate) methods: Option<Vec<Method>>,
    pub(crate) strip_path: bool,
    pub(crate) preserve_host: bool,
    pub(crate) regex_priority: i64,
    pub(crate) plugins: PluginSet,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Spanned<Text>,
    paths: Vec<RoutePath>,
    methods: Option<Vec<RouteMethod>>,
    strip_path: Option<Flag>,
    preserve_host: Option<Flag>,
    regex_priority: Option<Integer<{ i32::MIN as i64 }, MAX>>,
    plugins: Option<PluginSet>,
    #[serde(rename = "path_handling")]
    _path_handling: Option<PathHandling>,
    #[serde(rename = "protocols")]
    _protocols: Option<Protocols>,
    // Neither side can observe whether Kong buffers; this gateway always streams bodies.
    #[serde(rename = "request_buffering")]
    _request_buffering: Option<Flag>,
    #[serde(rename = "response_buffering")]
    _response_buffering: Option<Flag>,
    #[serde(rename = "tags")]
    _tags: Option<Vec<String>>,
}

impl From<Entry> for Route {
    fn from(entry: Entry) -> Self {
        Self {
            name: entry.name,
            paths: entry.paths,
            methods: entry.methods.map(|methods| methods.into_iter().map(|method| method.0).collect()),
            strip_path: entry.strip_path != Some(Flag(false)),
            preserve_host: entry.preserve_host == Some(Flag(true)),
            regex_priority: entry.regex_priority.map_or(0, |priority| priority.0),
            plugins: entry.plugins.unwrap_or_default(),
        }
    }
}

/// Path of a route.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum RoutePath {
    /// Literal prefix: `/api/users` matches `/api/users/1`, and `/api/usersX` as well.
    Prefix(String),
    /// Expression after `~`, anchored at the start.
    Regex(Regex),
}

impl TryFrom<String> for RoutePath {
    type Error = String;

    fn try_from(path: String) -> Result<Self, String> {
        let expression = path.strip_prefix('~');
        if !expression.unwrap_or(&path).starts_with('/') {
            return Err(format!("path `{path}` must begin with `/`, or with `~/` as a regular expression"));
        }
        if let Some(expression) = expression {
            // Kong 3.4 evaluates them with this same crate, anchored in the same way.
            return Regex::new(&format!("^(?:{expression})")).map(Self::Regex).map_err(|error| {
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default();
                format!("path `{path}` is not a valid regular expression: {reason}")
            });
        }
        let literal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%".contains(&byte);
        if path.contains("//") {
            return Err(format!("path `{path}` must not contain `//`"));
        }
        if !path.bytes().all(literal) {
            return Err(format!("path `{path}` contains a character that is not valid in a path"));
        }
        Ok(Self::Prefix(path))
    }
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct RouteMethod(Method);

impl TryFrom<String> for RouteMethod {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let method = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_uppercase()));
        method.map(Self).ok_or_else(|| format!("`{text}` is not a valid method: write it in capitals"))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum KongPathHandling {
    V0,
    V1,
}

#[derive(Deserialize)]
#[serde(try_from = "KongPathHandling")]
struct PathHandling;

impl TryFrom<KongPathHandling> for PathHandling {
    type Error = String;

    fn try_from(handling: KongPathHandling) -> Result<Self, String> {
        match handling {
            KongPathHandling::V0 => Ok(Self),
            KongPathHandling::V1 => Err(unsupported("`v1`")),
        }
    }
}
