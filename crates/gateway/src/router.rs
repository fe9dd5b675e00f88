//! Routing in the order of Kong's `traditional_compatible` router: routes with methods first, then regular expressions by
//! priority, then prefixes, the longest first.

use std::cmp::Reverse;
use std::sync::Arc;

use http::Method;

use crate::config::RoutePath;
use crate::plugins::PluginSet;
use crate::upstream::Upstream;

/// Target of a route.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) service: String,
    pub(crate) strip_path: bool,
    pub(crate) preserve_host: bool,
    /// Plugins of all levels that apply to the route.
    pub(crate) plugins: PluginSet,
    pub(crate) upstream: Arc<Upstream>,
}

/// Matcher of one path of a route.
#[derive(Debug)]
pub(crate) enum Matcher {
    Path(RoutePath),
    /// Path matcher: prefix of whole segments.
    Segments(String),
}

#[derive(Debug)]
struct Entry {
    matcher: Matcher,
    methods: Option<Vec<Method>>,
    regex_priority: i64,
    target: Arc<Target>,
}

/// Routes in the order of precedence.
#[derive(Debug, Default)]
pub(crate) struct Router {
    entries: Vec<Entry>,
}

/// Route that matches a request.
pub(crate) struct RouteMatch<'r> {
    pub(crate) target: &'r Arc<Target>,
    /// Number of bytes of the request's path that the route's path matches.
    pub(crate) matched_len: usize,
}

impl Router {
    pub(crate) fn add(
        &mut self,
        matcher: Matcher,
        methods: Option<Vec<Method>>,
        regex_priority: i64,
        target: Arc<Target>,
    ) {
        self.entries.push(Entry { matcher, methods, regex_priority, target });
        // The sort is stable: of equal routes, the first in the file takes precedence.
        self.entries.sort_by_key(Entry::rank);
    }

    /// Returns the first match of a normalized path.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Option<RouteMatch<'_>> {
        self.entries.iter().find_map(|entry| {
            let methods = entry.methods.as_ref();
            if methods.is_some_and(|methods| !methods.contains(method)) {
                return None;
            }
            let matched_len = entry.matcher.matches(path)?;
            Some(RouteMatch { target: &entry.target, matched_len })
        })
    }
}

impl Entry {
    fn rank(&self) -> impl Ord + use<> {
        let (regex, priority, length) = match &self.matcher {
            Matcher::Path(RoutePath::Regex(_)) => (true, self.regex_priority, 0),
            Matcher::Path(RoutePath::Prefix(prefix)) | Matcher::Segments(prefix) => (false, 0, prefix.len()),
        };
        Reverse((self.methods.is_some(), regex, priority, length))
    }
}

impl Matcher {
    fn matches(&self, path: &str) -> Option<usize> {
        match self {
            Self::Path(RoutePath::Prefix(prefix)) => path.starts_with(prefix.as_str()).then_some(prefix.len()),
            Self::Path(RoutePath::Regex(regex)) => regex.find(path).map(|found| found.end()),
            Self::Segments(prefix) => {
                let rest = path.strip_prefix(prefix.as_str())?;
                (rest.is_empty() || rest.starts_with('/')).then_some(prefix.len())
            }
        }
    }
}

#[cfg(test)]
mod tests;
