//! `shopfleet history ORDER`: the history of an order, each step with its cause.

use common::config::ServiceName;
use serde_json::Value;

use crate::CliError;
use crate::admin_client::{AdminClient, FleetSelector};
use crate::output::print_line;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Id or number of the order.
    order: String,
    #[command(flatten)]
    selector: FleetSelector,
}

pub(crate) async fn run(args: Args) -> Result<(), CliError> {
    AdminClient::with_session(&args.selector, async |client| print_history(client, &args.order).await).await
}

async fn print_history(client: &AdminClient, order: &str) -> Result<(), CliError> {
    let is_number = order.starts_with("ORD");
    let path = if is_number { format!("/api/orders/number/{order}") } else { format!("/api/orders/{order}") };
    let order: Value = client.get(ServiceName::Order, &path).await?;
    let id = order["id"].as_str().unwrap_or_default();
    let timeline: Vec<Value> = client.get(ServiceName::Order, &format!("/api/orders/{id}/timeline")).await?;
    let field = |name: &str| order[name].as_str().unwrap_or_default().to_owned();
    let (number, status, payment) = (field("order_number"), field("status"), field("payment_status"));
    let total = &order["total_amount"];
    print_line(format_args!("order {number} ({id}): {status}, {payment}, {total} {}\n", field("currency")));
    for entry in &timeline {
        print_line(format_entry(entry));
    }
    Ok(())
}

/// Formats a timeline entry as one line: number, time, service, event, actor, summary, and the ids for further searches.
fn format_entry(entry: &Value) -> String {
    let field = |name: &str| entry[name].as_str().unwrap_or_default();
    let id = |name: &str| entry[name].as_str().map(|id| format!("  {name} {id}")).unwrap_or_default();
    let seq = entry["seq"].as_i64().map(|seq| seq.to_string()).unwrap_or_default();
    let actor = &entry["actor"];
    let actor = [&actor["type"], &actor["id"]].into_iter().filter_map(Value::as_str).collect::<Vec<_>>().join(":");
    format!(
        "{seq:>4} {:<26} {:<16} {:<26} {actor:<45} {}{}{}",
        field("at"),
        field("service"),
        field("type"),
        field("summary"),
        id("event_id"),
        id("trace_id")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn entry_is_one_line_with_its_ids() {
        let entry = json!({
            "seq": 3, "actor": {"type": "system", "id": null}, "at": "2026-01-01T00:00:00.000Z", "service": "payment-service", "type": "payment.completed",
            "summary": "59.98 were taken", "event_id": "e1", "trace_id": null, "data": {},
        });
        let line = format_entry(&entry);
        assert!(line.contains("payment.completed") && line.ends_with("59.98 were taken  event_id e1"), "{line}");
        assert!(line.starts_with("   3 2026") && line.contains(" system "), "{line}");
        let by_admin = format_entry(&json!({"seq": 12, "actor": {"type": "admin", "id": "a1"}}));
        assert!(by_admin.starts_with("  12 ") && by_admin.contains(" admin:a1 "), "{by_admin}");
    }
}
