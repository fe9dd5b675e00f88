//! Fields of a span that its log lines inherit: the service and the order.

use std::fmt::Debug;

use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Inherited fields of a span.
#[derive(Clone, Debug, Default)]
pub(super) struct InheritedFields {
    /// `service.name`.
    pub(super) service: Option<String>,
    /// `order.id`.
    pub(super) order: Option<String>,
}

/// Layer that stores the inherited fields with their span.
pub(super) struct InheritedFieldsLayer;

impl<S> Layer<S> for InheritedFieldsLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut known = InheritedFields::default();
        attributes.record(&mut known);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(known);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(known) = span.extensions_mut().get_mut::<InheritedFields>()
        {
            values.record(known);
        }
    }
}

impl Visit for InheritedFields {
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
