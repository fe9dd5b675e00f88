//! Provider: its ledger and the payments have the same amounts.

use std::collections::BTreeMap;

use contracts::Money;
use contracts::api::PaymentStatus;
use contracts::audit::PaymentAudit;

use super::{Report, Rule};
use crate::AuditSnapshot;

pub(super) fn provider_ledger(snapshot: &AuditSnapshot, report: &mut Report<'_>) {
    let Some(intents) = &snapshot.provider else { return };
    let mut payments: BTreeMap<&str, &PaymentAudit> = BTreeMap::new();
    for payment in &snapshot.payments {
        if let Some(intent) = payment.intent.as_deref() {
            payments.insert(intent, payment);
        }
    }
    for intent in intents {
        let Some(payment) = payments.remove(intent.id.as_str()) else {
            if !intent.received.is_zero() {
                let payment = intent.payment.map_or("no payment".to_owned(), |payment| format!("payment {payment}"));
                let text = format!("the provider captured {} for {payment}, which does not exist", intent.received);
                report(Rule::ProviderAgrees, format!("intent {}", intent.id), text);
            }
            continue;
        };
        let (captured, refunded) =
            if payment.external { (Money::ZERO, Money::ZERO) } else { (payment.captured, payment.refunded) };
        if (intent.received, intent.refunded) != (captured, refunded) {
            let text = format!(
                "the provider captured {} and refunded {}, but the payment has {captured} and {refunded}",
                intent.received, intent.refunded
            );
            report(Rule::ProviderAgrees, format!("payment {}", payment.id), text);
        }
    }
    for payment in payments.into_values().filter(|payment| !payment.external && !payment.captured.is_zero()) {
        let text = format!("{} captured by an intent that the provider does not list", payment.captured);
        report(Rule::ProviderAgrees, format!("payment {}", payment.id), text);
    }
    let without_intent = snapshot.payments.iter().filter(|payment| payment.intent.is_none() && !payment.external);
    for payment in without_intent.filter(|payment| payment.status == PaymentStatus::Completed) {
        report(Rule::ProviderAgrees, format!("payment {}", payment.id), "completed without an intent".to_owned());
    }
}
