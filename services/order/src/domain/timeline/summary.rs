use contracts::Event;

/// Describes an event in one line.
pub(super) fn summary(event: &Event) -> String {
    match event {
        Event::OrderCreated(created) => {
            format!(
                "Order {} placed: {} lines, total {}",
                created.order_number, created.items_count, created.total_amount
            )
        }
        Event::OrderUpdated(updated) => format!("Order status: {}", updated.status),
        Event::OrderCancelled(cancelled) => format!("Order cancelled{}", suffix(cancelled.reason.as_deref())),
        Event::StockReserved(_) => "Stock reserved".to_owned(),
        Event::StockReleased(_) => "Stock released".to_owned(),
        Event::StockCommitted(_) => "Stock committed".to_owned(),
        Event::StockExpired(_) => "Reservation expired, stock released".to_owned(),
        Event::PaymentCreated(changed) => {
            format!("Payment of {} {} by {} started", changed.amount, changed.currency, changed.method)
        }
        Event::PaymentProcessing(changed) => format!("Payment of {} {} processing", changed.amount, changed.currency),
        Event::PaymentCompleted(changed) => format!("Payment of {} {} captured", changed.amount, changed.currency),
        Event::PaymentFailed(changed) => format!("Payment of {} {} failed", changed.amount, changed.currency),
        Event::PaymentCancelled(changed) => format!("Payment of {} {} cancelled", changed.amount, changed.currency),
        Event::PaymentRefunded(refunded) => {
            let outcome = if refunded.outside { "made outside the provider" } else { "succeeded" };
            format!("Refund of {} {outcome}{}", refunded.refund_amount, suffix(refunded.reason.as_deref()))
        }
        Event::PaymentRefundFailed(failed) => {
            let attention = if failed.needs_attention { "; needs attention" } else { "" };
            format!("Refund of {} failed{}{attention}", failed.amount, suffix(failed.reason.as_deref()))
        }
        other => other.event_type().as_str().to_owned(),
    }
}

fn suffix(reason: Option<&str>) -> String {
    reason.map(|reason| format!(": {reason}")).unwrap_or_default()
}
