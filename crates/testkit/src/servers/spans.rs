//! A trace as Jaeger shows it.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

/// The span of a client that begins a trace of its own.
pub const CLIENT: &str = "00f067aa0ba902b7";

/// A trace that a client began, sampled: its id, and the header `traceparent` that says so (W3C trace context).
#[must_use]
pub fn begin_trace() -> (String, String) {
    let id = Uuid::now_v7().simple().to_string();
    let traceparent = format!("00-{id}-{CLIENT}-01");
    (id, traceparent)
}

/// A span, with its service and the span that it is a child of.
#[derive(Clone, Debug)]
pub struct Span {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub service: String,
    /// What it is called.
    pub name: String,
    /// The id of the span that it is a child of.
    pub parent: Option<String>,
    /// How long it took, in microseconds.
    pub micros: u64,
    /// Its attributes.
    pub tags: BTreeMap<String, String>,
}

/// The spans of a trace.
#[derive(Clone, Debug)]
pub struct Spans(Vec<Span>);

impl Spans {
    /// What Jaeger's API answered.
    pub(super) fn read(trace: &Value) -> Self {
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let processes = &trace["processes"];
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let read = |span: &Value| Span {
            id: text(&span["spanID"]),
            service: text(&processes[text(&span["processID"])]["serviceName"]),
            name: text(&span["operationName"]),
            parent: span["references"][0]["spanID"].as_str().map(str::to_owned),
            micros: span["duration"].as_u64().unwrap_or_default(),
            tags: list(&span["tags"]).iter().map(|tag| (text(&tag["key"]), text(&tag["value"]))).collect(),
        };
        Self(list(&trace["spans"]).iter().map(read).collect())
    }

    /// These spans and those, each once.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        for span in others.0 {
            if !self.0.iter().any(|one| one.id == span.id) {
                self.0.push(span);
            }
        }
        self
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[Span] {
        &self.0
    }

    /// The spans of this service and name.
    pub fn of<'a>(&'a self, (service, name): (&'a str, &'a str)) -> impl Iterator<Item = &'a Span> {
        self.0.iter().filter(move |span| span.service == service && span.name == name)
    }

    /// Whether there is a span of the one kind within one of the other: its child, or a child's child, and so on.
    #[must_use]
    pub fn leads(&self, within: (&str, &str), kind: (&str, &str)) -> bool {
        self.of(kind).any(|span| {
            let mut ancestors = std::iter::successors(self.parent(span), |one| self.parent(one));
            ancestors.any(|one| (one.service.as_str(), one.name.as_str()) == within)
        })
    }

    fn parent(&self, span: &Span) -> Option<&Span> {
        self.0.iter().find(|one| Some(&one.id) == span.parent.as_ref())
    }

    /// What each span is a child of, to be shown.
    #[must_use]
    pub fn drawn(&self) -> String {
        let name =
            |id: &str| self.0.iter().find(|span| span.id == id).map(|span| format!("{} {}", span.service, span.name));
        let line = |span: &Span| {
            let parent = span.parent.as_deref().map(|id| name(id).unwrap_or_else(|| format!("({id})")));
            format!("{} {} <- {}\n", span.service, span.name, parent.unwrap_or_default())
        };
        self.0.iter().map(line).collect()
    }
}
