//! What happened to an order, entry by entry, as people and programs read it afterwards.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use common::effects::{Effects, NewEvent};
use common::store::StoreError;
use contracts::calls::RefundCause;
use contracts::event::{PaymentRefundFailed, PaymentRefunded};
use contracts::{Envelope, Event, EventId, EventType, Money, OrderId, PaymentId, RefundId};

/// Something that happened to an order, its reservation, its payments or their refunds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// To which order; it may not exist yet, or never.
    pub order_id: OrderId,
    /// When.
    pub at: DateTime<Utc>,
    /// The event's kind, such as `payment.completed`.
    pub kind: String,
    /// For people, in one line.
    pub summary: String,
    /// Who told.
    pub service: String,
    /// The event.
    pub event_id: EventId,
    /// The trace that it belongs to.
    pub trace_id: Option<String>,
    /// The event's data: the text of a JSON object.
    pub data: String,
}

/// What is written with a change of an order: effects, and the entries that stand in its timeline for them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Written {
    /// Events, the message that was handled, and the answer of a request with a key.
    pub effects: Effects,
    /// Entries of the timeline.
    pub entries: Vec<Entry>,
}

impl Written {
    /// These effects, with an entry for each event of theirs.
    ///
    /// # Errors
    /// Never in practice: events are plain structs.
    pub fn of(effects: Effects, service: &str) -> Result<Self, StoreError> {
        let entry = |new: &NewEvent| Entry::caused(new, service);
        let entries = effects.events.iter().filter_map(|new| entry(new).transpose()).collect::<Result<_, _>>()?;
        Ok(Self { effects, entries })
    }

    /// These, and what was heard before them.
    #[must_use]
    pub fn hearing(mut self, heard: Option<Entry>) -> Self {
        self.entries.splice(0..0, heard);
        self
    }
}

impl Entry {
    /// The entry of an event of our own; `None` if it is about no order.
    fn caused(new: &NewEvent, service: &str) -> Result<Option<Self>, StoreError> {
        let Some(order_id) = new.event.order_id() else { return Ok(None) };
        let data = new.event.data().map_err(|error| StoreError::Fault(error.into()))?;
        Ok(Some(Self {
            order_id,
            at: new.at,
            kind: new.event.event_type().as_str().to_owned(),
            summary: summary(&new.event),
            service: service.to_owned(),
            event_id: new.id,
            trace_id: new.traceparent.as_deref().and_then(trace_of),
            data: data.get().to_owned(),
        }))
    }

    /// The entry of an event that another service told; `None` if it is about no order.
    #[must_use]
    pub fn heard(event: &Event, envelope: &Envelope, trace_id: Option<String>) -> Option<Self> {
        Some(Self {
            order_id: event.order_id()?,
            at: envelope.timestamp,
            kind: envelope.event_type.clone(),
            summary: summary(event),
            service: envelope.service.clone(),
            event_id: envelope.id,
            trace_id,
            data: envelope.data.get().to_owned(),
        })
    }
}

/// Refunds of a payment, as the entries up to one report them.
#[derive(Default)]
struct ReportedRefunds {
    total: Money,
    /// Refunds that were reported as succeeded, and whether they were reported as failed since.
    reported: HashMap<RefundId, bool>,
    /// Amounts that were reported as refunded, then as failed, and not refunded since.
    failed: Vec<Money>,
}

impl ReportedRefunds {
    /// Records a refund. Returns whether we had the provider repeat one that was reported before and failed.
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

/// Rewords the entries of refunds that repeat a failed one, so that an amount is reported as given back once, however
/// often we had it sent. What was paid outside the provider, or is the provider's own, was not sent by us. `entries` are those of one order, the oldest first.
pub fn mark_repeated_refunds(entries: &mut [Entry]) {
    let mut payments: HashMap<PaymentId, ReportedRefunds> = HashMap::new();
    for entry in entries {
        if entry.kind == EventType::PaymentRefundFailed.as_str() {
            let Ok(failed) = serde_json::from_str::<PaymentRefundFailed>(&entry.data) else { continue };
            payments.entry(failed.payment_id).or_default().fail(&failed);
        } else if entry.kind == EventType::PaymentRefunded.as_str() {
            let Ok(refunded) = serde_json::from_str::<PaymentRefunded>(&entry.data) else { continue };
            if payments.entry(refunded.payment_id).or_default().succeed(&refunded) {
                entry.summary = format!("The refund of {} was sent again", refunded.refund_amount);
            }
        }
    }
}

/// The trace id of a `traceparent` (W3C trace context).
fn trace_of(traceparent: &str) -> Option<String> {
    traceparent.split('-').nth(1).map(str::to_owned)
}

fn summary(event: &Event) -> String {
    match event {
        Event::OrderCreated(created) => {
            format!(
                "Order {} was placed: {} lines, {} in all",
                created.order_number, created.items_count, created.total_amount
            )
        }
        Event::OrderUpdated(updated) => format!("The order is {}", updated.status),
        Event::OrderCancelled(cancelled) => match &cancelled.reason {
            Some(reason) => format!("The order was cancelled: {reason}"),
            None => "The order was cancelled".to_owned(),
        },
        Event::StockReserved(_) => "The goods were reserved".to_owned(),
        Event::StockReleased(_) => "The goods were given back".to_owned(),
        Event::StockCommitted(_) => "The goods were sold".to_owned(),
        Event::StockExpired(_) => "The reservation ran out, and the goods were given back".to_owned(),
        Event::PaymentCreated(changed) => {
            format!("A payment of {} {} by {} was begun", changed.amount, changed.currency, changed.method)
        }
        Event::PaymentProcessing(changed) => format!("{} {} are being taken", changed.amount, changed.currency),
        Event::PaymentCompleted(changed) => format!("{} {} were taken", changed.amount, changed.currency),
        Event::PaymentFailed(changed) => format!("A payment of {} {} failed", changed.amount, changed.currency),
        Event::PaymentCancelled(changed) => {
            format!("A payment of {} {} was given up", changed.amount, changed.currency)
        }
        Event::PaymentRefunded(refunded) => {
            let reason = refunded.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            let how = if refunded.outside { "refunded outside the provider" } else { "given back" };
            format!("{} were {how}{reason}", refunded.refund_amount)
        }
        Event::PaymentRefundFailed(failed) => {
            let reason = failed.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            let attention = if failed.needs_attention { "; it needs attention" } else { "" };
            format!("Refund failed{reason} ({} were not refunded){attention}", failed.amount)
        }
        other => other.event_type().as_str().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contracts::calls::OrderStatus;
    use contracts::event::{OrderUpdated, UserDeleted};

    #[test]
    fn events_about_orders_stand_in_the_timeline_and_others_do_not() {
        let now = DateTime::UNIX_EPOCH;
        let id = OrderId::generate(now);
        let updated =
            Event::OrderUpdated(OrderUpdated { order_id: id, status: OrderStatus::Confirmed, timestamp: now });
        let deleted = Event::UserDeleted(UserDeleted { user_id: contracts::UserId::generate(now) });
        let mut effects = Effects::of(now, updated).with(now, deleted);
        effects.events[0].traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
        let written = Written::of(effects, "order-service").unwrap();
        let [entry] = &written.entries[..] else { panic!("{:?}", written.entries) };
        assert_eq!((entry.order_id, entry.summary.as_str()), (id, "The order is confirmed"));
        assert_eq!(entry.trace_id.as_deref(), Some("0af7651916cd43dd8448eb211c80319c"));
        assert!(entry.data.contains("confirmed"));
    }

    #[test]
    fn refund_that_fails_and_succeeds_again_is_given_back_once() {
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
        let [first, second, third, part, refused] = std::array::from_fn(|_| RefundId::generate(now));
        let events = [
            refunded(part, 300, 300, 2),
            refunded(first, 700, 1000, 3),
            failed(first, 700, 300, 4),
            refunded(second, 700, 1000, 5),
            failed(second, 700, 300, 6),
            failed(refused, 700, 300, 7),
            refunded(third, 700, 1000, 8),
        ];
        let effects = events.into_iter().fold(Effects::none(), |effects, event| effects.with(now, event));
        let mut entries = Written::of(effects, "payment-service").unwrap().entries;
        mark_repeated_refunds(&mut entries);
        let summaries: Vec<_> = entries.iter().map(|entry| entry.summary.as_str()).collect();
        let failure = "Refund failed: lost_or_stolen_card (7.00 were not refunded)";
        let again = "The refund of 7.00 was sent again";
        let expected = ["3.00 were given back", "7.00 were given back", failure, again, failure, failure, again];
        assert_eq!(summaries, expected);
    }

    #[test]
    fn refund_that_was_not_sent_by_us_is_not_told_as_sent_again() {
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
            [(by_hand, "74.77 were refunded outside the provider"), (by_provider, "74.77 were given back")]
        {
            let events = [
                Event::PaymentRefunded(refunded.clone()),
                Event::PaymentRefundFailed(failed.clone()),
                Event::PaymentRefunded(last),
            ];
            let effects = events.into_iter().fold(Effects::none(), |effects, event| effects.with(now, event));
            let mut entries = Written::of(effects, "payment-service").unwrap().entries;
            mark_repeated_refunds(&mut entries);
            let summaries: Vec<_> = entries.iter().map(|entry| entry.summary.as_str()).collect();
            let failure = "Refund failed: declined (74.77 were not refunded); it needs attention";
            assert_eq!(summaries, ["74.77 were given back", failure, expected]);
        }
    }

    #[test]
    fn events_of_the_version_before_were_sent_to_the_provider_and_need_no_attention() {
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
