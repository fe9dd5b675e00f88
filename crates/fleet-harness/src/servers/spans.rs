//! Spans of a trace, as Jaeger's API returns them.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

/// Span id of a client that begins a trace.
pub const CLIENT: &str = "00f067aa0ba902b7";

/// Creates a sampled trace of a client: its id and its `traceparent` header (W3C trace context).
#[must_use]
pub fn begin_trace() -> (String, String) {
    let id = Uuid::now_v7().simple().to_string();
    let traceparent = format!("00-{id}-{CLIENT}-01");
    (id, traceparent)
}

/// Span with its service and parent.
#[derive(Clone, Debug)]
pub struct Span {
    /// Span id.
    pub id: String,
    /// Service name.
    pub service: String,
    /// Operation name.
    pub name: String,
    /// Parent span id.
    pub parent: Option<String>,
    /// Duration in microseconds.
    pub micros: u64,
    /// Attributes.
    pub tags: BTreeMap<String, String>,
}

/// Spans of a trace.
#[derive(Clone, Debug)]
pub struct Spans(Vec<Span>);

impl Spans {
    /// Parses a trace of Jaeger's API.
    pub(super) fn parse(trace: &Value) -> Self {
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let processes = &trace["processes"];
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let parse = |span: &Value| Span {
            id: text(&span["spanID"]),
            service: text(&processes[text(&span["processID"])]["serviceName"]),
            name: text(&span["operationName"]),
            parent: span["references"][0]["spanID"].as_str().map(str::to_owned),
            micros: span["duration"].as_u64().unwrap_or_default(),
            tags: list(&span["tags"]).iter().map(|tag| (text(&tag["key"]), text(&tag["value"]))).collect(),
        };
        Self(list(&trace["spans"]).iter().map(parse).collect())
    }

    /// Merges two sets of spans; a span of both is included once.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        for span in others.0 {
            if !self.0.iter().any(|known| known.id == span.id) {
                self.0.push(span);
            }
        }
        self
    }

    /// Returns all spans.
    #[must_use]
    pub fn all(&self) -> &[Span] {
        &self.0
    }

    /// Returns the spans of a service and name.
    pub fn of<'a>(&'a self, (service, name): (&'a str, &'a str)) -> impl Iterator<Item = &'a Span> {
        self.0.iter().filter(move |span| span.service == service && span.name == name)
    }

    /// Returns whether some span `descendant` has `ancestor` among its ancestors. Both are given as service and name.
    #[must_use]
    pub fn is_ancestor(&self, ancestor: (&str, &str), descendant: (&str, &str)) -> bool {
        self.of(descendant).any(|span| {
            let mut ancestors = std::iter::successors(self.parent(span), |span| self.parent(span));
            ancestors.any(|span| (span.service.as_str(), span.name.as_str()) == ancestor)
        })
    }

    fn parent(&self, span: &Span) -> Option<&Span> {
        self.0.iter().find(|candidate| Some(&candidate.id) == span.parent.as_ref())
    }

    /// Renders a line per span with its parent, for failure messages.
    #[must_use]
    pub fn render(&self) -> String {
        let name =
            |id: &str| self.0.iter().find(|span| span.id == id).map(|span| format!("{} {}", span.service, span.name));
        let line = |span: &Span| {
            let parent = span.parent.as_deref().map(|id| name(id).unwrap_or_else(|| format!("({id})")));
            format!("{} {} <- {}\n", span.service, span.name, parent.unwrap_or_default())
        };
        self.0.iter().map(line).collect()
    }
}
