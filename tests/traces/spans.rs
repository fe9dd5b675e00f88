//! A trace as Jaeger shows it.

use std::collections::BTreeMap;

use serde_json::Value;

/// A span, with its service and the span that it is a child of.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) id: String,
    pub(crate) service: String,
    pub(crate) name: String,
    pub(crate) parent: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
}

/// The spans of a trace.
#[derive(Clone, Debug)]
pub(crate) struct Spans(Vec<Span>);

impl Spans {
    /// What Jaeger's API answered.
    pub(crate) fn read(trace: &Value) -> Self {
        let processes = &trace["processes"];
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let read = |span: &Value| Span {
            id: text(&span["spanID"]),
            service: text(&processes[text(&span["processID"])]["serviceName"]),
            name: text(&span["operationName"]),
            parent: span["references"][0]["spanID"].as_str().map(str::to_owned),
            tags: span["tags"].as_array().unwrap().iter().map(|tag| (text(&tag["key"]), text(&tag["value"]))).collect(),
        };
        Self(trace["spans"].as_array().unwrap().iter().map(read).collect())
    }

    /// All of them.
    pub(crate) fn all(&self) -> &[Span] {
        &self.0
    }

    /// The spans of this service and name.
    pub(crate) fn of<'a>(&'a self, (service, name): (&'a str, &'a str)) -> impl Iterator<Item = &'a Span> {
        self.0.iter().filter(move |span| span.service == service && span.name == name)
    }

    /// Whether there is a span of the one kind within one of the other: its child, or a child's child, and so on.
    pub(crate) fn leads(&self, within: (&str, &str), kind: (&str, &str)) -> bool {
        self.of(kind).any(|span| {
            let mut ancestors = std::iter::successors(self.parent(span), |one| self.parent(one));
            ancestors.any(|one| (one.service.as_str(), one.name.as_str()) == within)
        })
    }

    fn parent(&self, span: &Span) -> Option<&Span> {
        self.0.iter().find(|one| Some(&one.id) == span.parent.as_ref())
    }

    /// What each span is a child of, to be shown.
    pub(crate) fn drawn(&self) -> String {
        let name =
            |id: &str| self.0.iter().find(|span| span.id == id).map(|span| format!("{} {}", span.service, span.name));
        let line = |span: &Span| {
            let parent = span.parent.as_deref().map(|id| name(id).unwrap_or_else(|| format!("({id})")));
            format!("{} {} <- {}\n", span.service, span.name, parent.unwrap_or_default())
        };
        self.0.iter().map(line).collect()
    }
}
