//! `routes:` of a service.

use http::Method;
use regex::Regex;
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::plugin::Plugins;
use super::protocol::Protocols;
use crate::plugins::PluginSet;
use crate::schema::{Flag, Integer, MAX, Text};

/// Route to a service.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "some fields are checked but have no effect")]
pub(crate) struct Route {
    pub(crate) name: Spanned<Text>,
    pub(crate) paths: Vec<RoutePath>,
    methods: Option<Vec<RouteMethod>>,
    strip_path: Option<Flag>,
    preserve_host: Option<Flag>,
    regex_priority: Option<Integer<{ i32::MIN as i64 }, MAX>>,
    plugins: Option<Plugins>,
    path_handling: Option<PathHandling>,
    protocols: Option<Protocols>,
    // Neither side can observe whether Kong buffers; this gateway always streams bodies.
    request_buffering: Option<Flag>,
    response_buffering: Option<Flag>,
    tags: Option<Vec<String>>,
}

impl Route {
    /// Returns the methods; `None` for any method.
    pub(crate) fn methods(&self) -> Option<Vec<Method>> {
        Some(self.methods.as_ref()?.iter().map(|method| method.0.clone()).collect())
    }

    pub(crate) fn strips_path(&self) -> bool {
        self.strip_path != Some(Flag(false))
    }

    pub(crate) fn preserves_host(&self) -> bool {
        self.preserve_host == Some(Flag(true))
    }

    pub(crate) fn regex_priority(&self) -> i64 {
        self.regex_priority.map_or(0, |priority| priority.0)
    }

    pub(crate) fn plugins(&self) -> PluginSet {
        self.plugins.as_ref().map(|plugins| plugins.0.clone()).unwrap_or_default()
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

#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct RouteMethod(Method);

impl TryFrom<String> for RouteMethod {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let method = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_uppercase()));
        method.map(Self).ok_or_else(|| format!("`{text}` is not a valid method: write it in capitals"))
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PathHandling {
    V0,
}
