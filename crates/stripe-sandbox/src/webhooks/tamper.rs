//! Tampered webhooks with a valid signature, as an attacker with a leaked secret could send them.

use serde_json::{Value, json};

/// Statuses of intents and refunds for tampered objects.
const STATUSES: &[&str] = &["succeeded", "canceled", "failed", "processing", "requires_payment_method"];
/// Fields of objects with an amount.
const AMOUNTS: &[&str] = &["amount", "amount_received", "amount_refunded"];

/// Returns the event with another status, amount or currency in its object; `choice` selects the change.
pub(super) fn tamper(body: &str, choice: usize) -> String {
    let Ok(mut event) = serde_json::from_str::<Value>(body) else { return body.to_owned() };
    if let Some(object) = event.pointer_mut("/data/object").and_then(Value::as_object_mut) {
        match choice % 3 {
            0 => {
                let others = STATUSES.iter().filter(|status| object.get("status") != Some(&json!(status)));
                let others: Vec<_> = others.collect();
                object.insert("status".to_owned(), json!(others[choice / 3 % others.len()]));
            }
            1 => {
                for name in AMOUNTS {
                    if let Some(amount) = object.get(*name).and_then(Value::as_i64) {
                        object.insert((*name).to_owned(), json!(amount / 2 + 1_000));
                    }
                }
            }
            _ => {
                let other = if object.get("currency") == Some(&json!("eur")) { "usd" } else { "eur" };
                object.insert("currency".to_owned(), json!(other));
            }
        }
    }
    event.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tamper_changes_one_property_of_the_object() {
        let object =
            json!({"id": "pi_1", "status": "succeeded", "amount": 500, "amount_received": 500, "currency": "usd"});
        let body = json!({"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": object}}).to_string();
        for choice in 0..30 {
            let event: Value = serde_json::from_str(&tamper(&body, choice)).unwrap();
            let tampered = &event["data"]["object"];
            let changed =
                [tampered["status"] != "succeeded", tampered["amount_received"] != 500, tampered["currency"] != "usd"];
            assert_eq!(changed.iter().filter(|changed| **changed).count(), 1, "{tampered}");
            assert_eq!((&tampered["id"], &event["id"]), (&json!("pi_1"), &json!("evt_1")));
        }
        assert_eq!(tamper("{", 0), "{");
    }
}
