//! The order that a request or message is about.

use contracts::OrderId;
use tracing::Span;
use tracing::field::display;

/// Notes which order the current request or message is about: it stands in its span, and in what is logged within it.
pub fn about_order(order: OrderId) {
    Span::current().record("order.id", display(order));
}
