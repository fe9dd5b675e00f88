//! What is known of a span that each line within it tells: whose it is, and which order it is about.

use std::fmt::Debug;

use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// What is known of a span.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// `service.name`.
    pub(super) service: Option<String>,
    /// `order.id`.
    pub(super) order: Option<String>,
}

/// Keeps what is known with its span.
pub(super) struct Knowing;

impl<S> Layer<S> for Knowing
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut known = Known::default();
        attributes.record(&mut known);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(known);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(known) = span.extensions_mut().get_mut::<Known>()
        {
            values.record(known);
        }
    }
}

impl Visit for Known {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "service.name" => self.service = Some(value.to_owned()),
            "order.id" => self.order = Some(value.to_owned()),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "order.id" {
            self.order = Some(format!("{value:?}"));
        }
    }
}
