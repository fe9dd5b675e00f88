//! Invariants between products, orders, payments and the provider that hold whenever nothing is in flight.
//!
//! Each rule checks a snapshot alone. A difference may be in flight; repeated checks see it disappear.

use std::fmt;

use contracts::Money;

use crate::AuditSnapshot;

mod idempotency;
mod money;
mod provider;
mod stock;

/// Invariant of the fleet that the auditor checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Available, reserved and sold pieces add up to the initial stock and its adjustments, and none is negative.
    PiecesAddUp,
    /// Reserved and sold pieces equal those of active orders.
    PiecesBelongToOrders,
    /// Captured less refunded money equals the order's value.
    MoneyMatchesOrder,
    /// An order's projection of its payments equals the payments.
    OrderKnowsItsMoney,
    /// Every payment belongs to an existing order.
    PaymentHasOrder,
    /// The provider's ledger has the same amounts.
    ProviderAgrees,
    /// A caller's idempotency key created at most one order.
    KeyMadeOneOrder,
    /// Every event is published eventually.
    EventsArePublished,
    /// No message is a dead letter.
    NothingIsDead,
}

impl Rule {
    /// All rules.
    pub const ALL: &'static [Self] = &[
        Self::PiecesAddUp,
        Self::PiecesBelongToOrders,
        Self::MoneyMatchesOrder,
        Self::OrderKnowsItsMoney,
        Self::PaymentHasOrder,
        Self::ProviderAgrees,
        Self::KeyMadeOneOrder,
        Self::EventsArePublished,
        Self::NothingIsDead,
    ];

    /// Returns the rule's name in reports and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PiecesAddUp => "pieces_add_up",
            Self::PiecesBelongToOrders => "pieces_belong_to_orders",
            Self::MoneyMatchesOrder => "money_matches_order",
            Self::OrderKnowsItsMoney => "order_knows_its_money",
            Self::PaymentHasOrder => "payment_has_order",
            Self::ProviderAgrees => "provider_agrees",
            Self::KeyMadeOneOrder => "key_made_one_order",
            Self::EventsArePublished => "events_are_published",
            Self::NothingIsDead => "nothing_is_dead",
        }
    }
}

/// Difference that breaks a rule at this moment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Finding {
    /// Broken rule.
    pub rule: Rule,
    /// Subject of the violation, such as `order 0193…`.
    pub about: String,
    /// Difference in words.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.rule.as_str(), self.about, self.text)
    }
}

/// Checks all rules and returns the differences, sorted.
#[must_use]
pub fn check(snapshot: &AuditSnapshot) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut report = |rule, about: String, text: String| findings.push(Finding { rule, about, text });
    stock::stock_balance(snapshot, &mut report);
    money::order_money(snapshot, &mut report);
    provider::provider_ledger(snapshot, &mut report);
    idempotency::unique_keys(snapshot, &mut report);
    events(snapshot, &mut report);
    findings.sort();
    findings
}

type Report<'a> = dyn FnMut(Rule, String, String) + 'a;

fn events(snapshot: &AuditSnapshot, report: &mut Report<'_>) {
    for (service, outbox) in snapshot.outboxes.iter().filter(|(_, outbox)| outbox.pending > 0) {
        let text = format!("{} pending events, the oldest for {} s", outbox.pending, outbox.oldest_seconds);
        report(Rule::EventsArePublished, service.clone(), text);
    }
    let dead_letters = snapshot.dead_letters.iter().flatten();
    for (queue, count) in dead_letters.filter(|(_, count)| **count > 0) {
        report(Rule::NothingIsDead, queue.clone(), format!("{count} dead letters"));
    }
}

/// Formats an amount that may be negative.
fn signed(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}", Money::from_cents(cents.abs()))
}

#[cfg(test)]
mod tests;
