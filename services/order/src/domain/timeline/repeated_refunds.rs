//! Detection of refunds that repeat a failed one.

use std::collections::HashMap;

use contracts::api::RefundCause;
use contracts::event::{PaymentRefundFailed, PaymentRefunded};
use contracts::{EventType, Money, PaymentId, RefundId};

use super::TimelineEntry;

/// Refunds of one payment as reported by the entries processed so far.
#[derive(Default)]
struct ReportedRefunds {
    total: Money,
    /// Refunds reported as succeeded, each with whether it was reported as failed afterwards.
    reported: HashMap<RefundId, bool>,
    /// Amounts reported as refunded, then as failed, and not refunded again since.
    failed: Vec<Money>,
}

impl ReportedRefunds {
    /// Records a succeeded refund. Returns whether it repeats a refund that was reported before and failed, sent by us
    /// through the provider.
    fn succeed(&mut self, refunded: &PaymentRefunded) -> bool {
        let failed = self.failed.iter().position(|amount| *amount == refunded.refund_amount);
        if let Some(index) = failed {
            self.failed.swap_remove(index);
        }
        // A total that did not grow: the failure in between was not reported.
        let repeated = failed.is_some() || refunded.refunded_total <= self.total;
        self.total = refunded.refunded_total;
        let repeated = self.reported.insert(refunded.refund_id, false).is_some() || repeated;
        repeated && !refunded.outside && refunded.cause != RefundCause::Provider
    }

    fn fail(&mut self, failed: &PaymentRefundFailed) {
        let reported = self.reported.get_mut(&failed.refund_id);
        if reported.is_some_and(|reported_as_failed| !std::mem::replace(reported_as_failed, true)) {
            self.failed.push(failed.amount);
        }
        self.total = failed.refunded_total;
    }
}

/// Rewords the entries of refunds that repeat a failed one, so that the timeline reports an amount as refunded once,
/// regardless of the number of attempts. Refunds made outside the provider or by the provider itself are no attempts of
/// ours. `entries` are those of one order; their times decide, because they may have arrived in another order.
pub fn mark_repeated_refunds(entries: &mut [TimelineEntry]) {
    let mut payments: HashMap<PaymentId, ReportedRefunds> = HashMap::new();
    let mut by_time: Vec<&mut TimelineEntry> = entries.iter_mut().collect();
    by_time.sort_by_key(|entry| entry.at);
    for entry in by_time {
        if entry.kind == EventType::PaymentRefundFailed.as_str() {
            let Ok(failed) = serde_json::from_str::<PaymentRefundFailed>(&entry.data) else { continue };
            payments.entry(failed.payment_id).or_default().fail(&failed);
        } else if entry.kind == EventType::PaymentRefunded.as_str() {
            let Ok(refunded) = serde_json::from_str::<PaymentRefunded>(&entry.data) else { continue };
            if payments.entry(refunded.payment_id).or_default().succeed(&refunded) {
                entry.summary = format!("Refund of {} repeated", refunded.refund_amount);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use contracts::{Actor, Event, EventId, OrderId};

    use super::*;

    fn entries(events: &[Event], now: DateTime<Utc>) -> Vec<TimelineEntry> {
        let entry = |event| {
            let by = ("payment-service", &Actor::System);
            TimelineEntry::from_published((EventId::generate(now), event), now, None, by).unwrap()
        };
        events.iter().filter_map(entry).collect()
    }

    #[test]
    fn refund_that_fails_and_is_repeated_is_reported_as_succeeded_once() {
        let now = DateTime::UNIX_EPOCH;
        let (payment_id, order_id) = (PaymentId::generate(now), OrderId::generate(now));
        let user_id = contracts::UserId::generate(now);
        let cents = Money::from_cents;
        let refunded = |refund_id, amount, total, version| {
            Event::PaymentRefunded(PaymentRefunded {
                payment_id,
                refund_id,
                order_id,
                user_id,
                amount: cents(1000),
                refund_amount: cents(amount),
                refunded_total: cents(total),
                version,
                cause: RefundCause::Cancelled,
                reason: None,
                outside: false,
                actor: Actor::System,
                timestamp: now,
            })
        };
        let failed = |refund_id, amount, total, version| {
            Event::PaymentRefundFailed(PaymentRefundFailed {
                payment_id,
                refund_id,
                order_id,
                user_id,
                amount: cents(amount),
                refunded_total: cents(total),
                version,
                reason: Some("lost_or_stolen_card".to_owned()),
                needs_attention: false,
                timestamp: now,
            })
        };
        let [first, second, third, part, rejected] = std::array::from_fn(|_| RefundId::generate(now));
        let events = [
            refunded(part, 300, 300, 2),
            refunded(first, 700, 1000, 3),
            failed(first, 700, 300, 4),
            refunded(second, 700, 1000, 5),
            failed(second, 700, 300, 6),
            failed(rejected, 700, 300, 7),
            refunded(third, 700, 1000, 8),
        ];
        let mut entries = entries(&events, now);
        for (second, entry) in (0..).zip(&mut entries) {
            entry.at += chrono::TimeDelta::seconds(second);
        }
        let mut late = entries.clone();
        mark_repeated_refunds(&mut entries);
        // A failure that arrives after the refund that follows it leads to the same summaries.
        late.swap(2, 3);
        mark_repeated_refunds(&mut late);
        late.swap(2, 3);
        assert_eq!(late, entries);
        let summaries: Vec<_> = entries.iter().map(|entry| entry.summary.as_str()).collect();
        let failure = "Refund of 7.00 failed: lost_or_stolen_card";
        let again = "Refund of 7.00 repeated";
        let expected =
            ["Refund of 3.00 succeeded", "Refund of 7.00 succeeded", failure, again, failure, failure, again];
        assert_eq!(summaries, expected);
    }

    #[test]
    fn refund_outside_our_control_is_not_reported_as_repeated() {
        let now = DateTime::UNIX_EPOCH;
        let (payment_id, order_id) = (PaymentId::generate(now), OrderId::generate(now));
        let (refund_id, user_id) = (RefundId::generate(now), contracts::UserId::generate(now));
        let amount = Money::from_cents(7_477);
        let refunded = PaymentRefunded {
            payment_id,
            refund_id,
            order_id,
            user_id,
            amount,
            refund_amount: amount,
            refunded_total: amount,
            version: 2,
            cause: RefundCause::Cancelled,
            reason: None,
            outside: false,
            actor: Actor::System,
            timestamp: now,
        };
        let failed = PaymentRefundFailed {
            payment_id,
            refund_id,
            order_id,
            user_id,
            amount,
            refunded_total: Money::ZERO,
            version: 3,
            reason: Some("declined".to_owned()),
            needs_attention: true,
            timestamp: now,
        };
        let by_hand = PaymentRefunded { outside: true, version: 4, ..refunded.clone() };
        let by_provider =
            PaymentRefunded { refund_id: RefundId::generate(now), cause: RefundCause::Provider, ..by_hand.clone() };
        let by_provider = PaymentRefunded { outside: false, ..by_provider };
        for (last, expected) in
            [(by_hand, "Refund of 74.77 made outside the provider"), (by_provider, "Refund of 74.77 succeeded")]
        {
            let events = [
                Event::PaymentRefunded(refunded.clone()),
                Event::PaymentRefundFailed(failed.clone()),
                Event::PaymentRefunded(last),
            ];
            let mut entries = entries(&events, now);
            mark_repeated_refunds(&mut entries);
            let summaries: Vec<_> = entries.iter().map(|entry| entry.summary.as_str()).collect();
            let failure = "Refund of 74.77 failed: declined; needs attention";
            assert_eq!(summaries, ["Refund of 74.77 succeeded", failure, expected]);
        }
    }

    #[test]
    fn events_of_the_previous_version_default_to_provider_refunds_without_attention() {
        let id = OrderId::generate(DateTime::UNIX_EPOCH);
        let mut data = serde_json::json!({
            "payment_id": id, "refund_id": id, "order_id": id, "user_id": id, "amount": 10.0, "refund_amount": 10.0,
            "refunded_total": 10.0, "version": 2, "cause": "granted", "timestamp": "2026-01-01T00:00:00Z",
        });
        assert!(!serde_json::from_value::<PaymentRefunded>(data.clone()).unwrap().outside);
        data["refunded_total"] = serde_json::json!(0.0);
        assert!(!serde_json::from_value::<PaymentRefundFailed>(data).unwrap().needs_attention);
    }
}
