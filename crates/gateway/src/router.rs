//! Finds the route of a request, in the order of Kong's `traditional_compatible` router: routes that also ask for a
//! method first, then regular expressions by their priority, then prefixes, the longest first.

use std::cmp::Reverse;
use std::sync::Arc;

use http::Method;

use crate::config::RoutePath;
use crate::plugins::PluginSet;
use crate::upstream::Upstream;

/// A route as it is run.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) service: String,
    pub(crate) strip_path: bool,
    pub(crate) preserve_host: bool,
    /// Those that apply here, of all levels.
    pub(crate) plugins: PluginSet,
    pub(crate) upstream: Arc<Upstream>,
}

/// What one path of a route matches.
#[derive(Debug)]
pub(crate) enum Matcher {
    Path(RoutePath),
    /// A prefix of whole segments.
    Segments(String),
}

#[derive(Debug)]
struct Entry {
    matcher: Matcher,
    methods: Option<Vec<Method>>,
    regex_priority: i64,
    target: Arc<Target>,
}

/// All routes, in the order in which they are tried.
#[derive(Debug, Default)]
pub(crate) struct Router {
    entries: Vec<Entry>,
}

/// A route that fits.
pub(crate) struct Hit<'r> {
    pub(crate) target: &'r Arc<Target>,
    /// Bytes of the path that the route's path stands for.
    pub(crate) matched: usize,
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
        // Stable: of equals, the one that the file names first.
        self.entries.sort_by_key(Entry::rank);
    }

    /// `path` is a normalised one.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Option<Hit<'_>> {
        self.entries.iter().find_map(|entry| {
            let methods = entry.methods.as_ref();
            if methods.is_some_and(|methods| !methods.contains(method)) {
                return None;
            }
            let matched = entry.matcher.matches(path)?;
            Some(Hit { target: &entry.target, matched })
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
