//! `shopfleet why ORDER`: what happened to an order, step by step, and what caused it.

use common::discovery::ServiceName;
use serde_json::Value;

use crate::operator::{Operator, Which};
use crate::{Failure, say};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The order's id or number.
    order: String,
    #[command(flatten)]
    which: Which,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    Operator::at_work(&args.which, async |operator| tell(operator, &args.order).await).await
}

async fn tell(operator: &Operator, order: &str) -> Result<(), Failure> {
    let by_number = order.starts_with("ORD");
    let path = if by_number { format!("/api/orders/number/{order}") } else { format!("/api/orders/{order}") };
    let order: Value = operator.get(ServiceName::Order, &path).await?;
    let id = order["id"].as_str().unwrap_or_default();
    let timeline: Vec<Value> = operator.get(ServiceName::Order, &format!("/api/orders/{id}/timeline")).await?;
    let of = |name: &str| order[name].as_str().unwrap_or_default().to_owned();
    let (number, status, payment) = (of("order_number"), of("status"), of("payment_status"));
    say(format_args!("order {number} ({id}): {status}, {payment}, {} {}\n", order["total_amount"], of("currency")));
    for entry in &timeline {
        say(line(entry));
    }
    Ok(())
}

/// An entry in one line: when, who, what, and the ids to look further by.
fn line(entry: &Value) -> String {
    let of = |name: &str| entry[name].as_str().unwrap_or_default();
    let id = |name: &str| entry[name].as_str().map(|id| format!("  {name} {id}")).unwrap_or_default();
    format!(
        "{:<26} {:<16} {:<26} {}{}{}",
        of("at"),
        of("service"),
        of("type"),
        of("summary"),
        id("event_id"),
        id("trace_id")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_entry_is_one_line_with_its_ids() {
        let entry = json!({
            "at": "2026-01-01T00:00:00.000Z", "service": "payment-service", "type": "payment.completed",
            "summary": "59.98 were taken", "event_id": "e1", "trace_id": null, "data": {},
        });
        let line = line(&entry);
        assert!(line.contains("payment.completed") && line.ends_with("59.98 were taken  event_id e1"), "{line}");
    }
}
