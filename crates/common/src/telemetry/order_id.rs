//! Order id of the current span.

use contracts::OrderId;
use tracing::Span;
use tracing::field::display;

/// Records the order of the current request or message in its span and in the log lines within it.
pub fn record_order_id(order: OrderId) {
    Span::current().record("order.id", display(order));
}
