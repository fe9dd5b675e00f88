//! Reads the fields of one object, each at most once, and reports those that nobody asked for.

use std::ops::RangeInclusive;

use saphyr::{MarkedYaml, Scalar, YamlData};

use super::Problems;

/// The fields of one object of the file. A field that is `null` counts as absent, as in Kong.
pub(crate) struct Fields<'d> {
    what: String,
    line: usize,
    fields: Vec<Field<'d>>,
    problems: &'d Problems,
}

struct Field<'d> {
    name: &'d str,
    line: usize,
    value: &'d MarkedYaml<'d>,
    taken: bool,
}

impl<'d> Fields<'d> {
    /// `what` names the object in messages, such as "service `x`". `None`, with a problem, if it is no object.
    pub(crate) fn of(node: &'d MarkedYaml<'d>, what: String, problems: &'d Problems) -> Option<Self> {
        let line = node.span.start.line();
        let YamlData::Mapping(mapping) = &node.data else {
            problems.add(line, format!("{what} must be an object with named fields"));
            return None;
        };
        let mut fields = Vec::with_capacity(mapping.len());
        for (key, value) in mapping {
            let line = key.span.start.line();
            match &key.data {
                YamlData::Value(Scalar::String(name)) => {
                    fields.push(Field { name: name.as_ref(), line, value, taken: false });
                }
                _ => problems.add(line, format!("a name of a field of {what} must be text")),
            }
        }
        Some(Self { what, line, fields, problems })
    }

    /// An object without fields, for one that is left out.
    pub(crate) fn none(what: String, line: usize, problems: &'d Problems) -> Self {
        Self { what, line, fields: Vec::new(), problems }
    }

    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// Names the object more exactly, once its name was read.
    pub(crate) fn rename(&mut self, what: String) {
        self.what = what;
    }

    /// Where a field stands, or the object if it is not there.
    pub(crate) fn line_of(&self, name: &str) -> usize {
        self.fields.iter().find(|field| field.name == name).map_or(self.line, |field| field.line)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name == name)
    }

    /// Reports a field whose value is not as it must be.
    pub(crate) fn wrong(&self, name: &str, must: &str) {
        self.problems.add(self.line_of(name), format!("field `{name}` of {} {must}", self.what));
    }

    /// Reports that a field, or a value of it, is Kong's but not honoured here.
    pub(crate) fn not_honoured(&self, name: &str, value: &str) {
        self.wrong(name, &format!("is `{value}`: Kong knows it, the local gateway cannot honour it"));
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<&'d MarkedYaml<'d>> {
        let field = self.fields.iter_mut().find(|field| field.name == name)?;
        field.taken = true;
        let value = field.value;
        (!matches!(value.data, YamlData::Value(Scalar::Null))).then_some(value)
    }

    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        match &self.take(name)?.data {
            YamlData::Value(Scalar::String(text)) if !text.is_empty() => Some(text.clone().into_owned()),
            _ => {
                self.wrong(name, "must be text");
                None
            }
        }
    }

    pub(crate) fn required_text(&mut self, name: &str) -> Option<String> {
        let before = self.has(name);
        let text = self.text(name);
        if !before {
            self.missing(name);
        }
        text
    }

    pub(crate) fn missing(&self, name: &str) {
        self.problems.add(self.line, format!("field `{name}` of {} is missing", self.what));
    }

    pub(crate) fn boolean(&mut self, name: &str) -> Option<bool> {
        match &self.take(name)?.data {
            YamlData::Value(Scalar::Boolean(value)) => Some(*value),
            _ => {
                self.wrong(name, "must be true or false");
                None
            }
        }
    }

    /// A whole number; the range is Kong's.
    pub(crate) fn integer(&mut self, name: &str, range: RangeInclusive<i64>) -> Option<i64> {
        match &self.take(name)?.data {
            YamlData::Value(Scalar::Integer(value)) if range.contains(value) => Some(*value),
            _ => {
                let (from, to) = (range.start(), range.end());
                self.wrong(name, &format!("must be a whole number from {from} to {to}"));
                None
            }
        }
    }

    pub(crate) fn one_of(&mut self, name: &str, values: &'static [&'static str]) -> Option<&'static str> {
        let found = match &self.take(name)?.data {
            YamlData::Value(Scalar::String(text)) => values.iter().find(|value| **value == text.as_ref()),
            _ => None,
        };
        if found.is_none() {
            self.wrong(name, &format!("must be one of {}", values.join(", ")));
        }
        found.copied()
    }

    /// The fields of an object within this one.
    pub(crate) fn object(&mut self, name: &str) -> Option<Self> {
        let node = self.take(name)?;
        Self::of(node, format!("`{name}` of {}", self.what), self.problems)
    }

    /// A list of texts, each with its line.
    pub(crate) fn texts(&mut self, name: &str) -> Option<Vec<(String, usize)>> {
        let value = self.take(name)?;
        let YamlData::Sequence(items) = &value.data else {
            self.wrong(name, "must be a list of texts");
            return None;
        };
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            let line = item.span.start.line();
            match &item.data {
                YamlData::Value(Scalar::String(text)) => {
                    texts.push((text.clone().into_owned(), line));
                }
                _ => self.problems.add(line, format!("field `{name}` of {} must be a list of texts", self.what)),
            }
        }
        Some(texts)
    }

    /// A list of objects; none if the field is left out.
    pub(crate) fn items(&mut self, name: &str) -> &'d [MarkedYaml<'d>] {
        match self.take(name).map(|value| &value.data) {
            None => &[],
            Some(YamlData::Sequence(items)) => items,
            Some(_) => {
                self.wrong(name, "must be a list");
                &[]
            }
        }
    }

    /// A list of protocols. This gateway speaks HTTP only, so one that leaves `http` out would never be reached.
    pub(crate) fn protocols(&mut self) {
        const KNOWN: &[&str] = &["grpc", "grpcs", "http", "https", "tcp", "tls", "tls_passthrough", "udp", "ws", "wss"];
        let Some(protocols) = self.texts("protocols") else {
            return;
        };
        for (protocol, line) in &protocols {
            if !KNOWN.contains(&protocol.as_str()) {
                let text = format!("protocol `{protocol}` of {} is not known", self.what);
                self.problems.add(*line, text);
            }
        }
        if !protocols.iter().any(|(protocol, _)| protocol == "http") {
            self.wrong("protocols", "must hold `http`: the local gateway speaks nothing else");
        }
    }

    /// Reports every field that was not read: as one of Kong's if it is in `kong_only`, else as unknown.
    pub(crate) fn finish(self, kong_only: &[&str]) {
        for field in self.fields.iter().filter(|field| !field.taken) {
            let name = field.name;
            let what = &self.what;
            let text = if kong_only.contains(&name) {
                format!("field `{name}` of {what}: Kong knows it, the local gateway cannot honour it")
            } else {
                format!("field `{name}` of {what} is not known")
            };
            self.problems.add(field.line, text);
        }
    }
}
