//! The invariants: what must hold between products, orders, payments and the provider whenever nothing is in flight.
//!
//! Each is a rule on the books alone. A difference may be that something is in flight: whoever applies the rules again
//! and again sees it go away.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use chrono::TimeDelta;
use contracts::audit::{OrderAudit, PaymentAudit};
use contracts::calls::{OrderPaymentStatus, OrderStatus, PaymentStatus};
use contracts::{Money, OrderId, ProductId};

use super::books::Books;

/// How long an idempotency key stands for one order.
const KEY_KEPT: TimeDelta = TimeDelta::hours(24);

/// An invariant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Rule {
    /// Every piece is available, reserved or sold, and none of these is below zero.
    PiecesAddUp,
    /// What is reserved and sold is what orders that stand have.
    PiecesBelongToOrders,
    /// What was kept of the money is what the order is worth.
    MoneyMatchesOrder,
    /// An order knows the money of its payments.
    OrderKnowsItsMoney,
    /// A payment is of an order that exists.
    PaymentHasOrder,
    /// The provider's ledger has the same money.
    ProviderAgrees,
    /// One order per caller and idempotency key.
    KeyMadeOneOrder,
    /// Every event is published in the end.
    EventsArePublished,
    /// No message was given up.
    NothingIsDead,
}

impl Rule {
    /// All of them.
    pub(crate) const ALL: &'static [Self] = &[
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

    /// Its name in reports and metrics.
    pub(crate) const fn as_str(self) -> &'static str {
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

/// A rule that does not hold at this moment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Finding {
    pub(crate) rule: Rule,
    /// What it is about, such as `order 0193…`.
    pub(crate) about: String,
    /// By how much.
    pub(crate) text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.rule.as_str(), self.about, self.text)
    }
}

/// All that does not hold.
pub(crate) fn apply(books: &Books) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |rule, about: String, text: String| findings.push(Finding { rule, about, text });
    pieces(books, &mut find);
    orders(books, &mut find);
    provider(books, &mut find);
    keys(books, &mut find);
    for (service, outbox) in books.outboxes.iter().filter(|(_, outbox)| outbox.pending > 0) {
        let text = format!("{} events wait, the oldest for {} s", outbox.pending, outbox.oldest_seconds);
        find(Rule::EventsArePublished, service.clone(), text);
    }
    for (queue, dead) in books.dead_letters.iter().filter(|(_, dead)| **dead > 0) {
        find(Rule::NothingIsDead, queue.clone(), format!("{dead} messages were given up"));
    }
    findings.sort();
    findings
}

type Find<'a> = dyn FnMut(Rule, String, String) + 'a;

fn pieces(books: &Books, find: &mut Find<'_>) {
    let (mut pending, mut sold): (HashMap<ProductId, i64>, HashMap<ProductId, i64>) = Default::default();
    for order in &books.orders {
        let held = match order.status {
            OrderStatus::Cancelled => continue,
            OrderStatus::Pending => &mut pending,
            _ => &mut sold,
        };
        for line in &order.items {
            *held.entry(line.product_id).or_default() += line.quantity;
        }
    }
    for product in &books.products {
        let about = || format!("product {}", product.id);
        let (came, stands) =
            (product.initial + product.adjustments, product.available + product.reserved + product.sold);
        if came != stands {
            let text = format!(
                "{} began and {:+} adjusted are {came}, but {} available, {} reserved and {} sold are {stands}",
                product.initial, product.adjustments, product.available, product.reserved, product.sold
            );
            find(Rule::PiecesAddUp, about(), text);
        }
        for (name, pieces) in [("available", product.available), ("reserved", product.reserved), ("sold", product.sold)]
        {
            if pieces < 0 {
                find(Rule::PiecesAddUp, about(), format!("{pieces} pieces are {name}"));
            }
        }
        let pending = pending.remove(&product.id).unwrap_or_default();
        let ordered = sold.remove(&product.id).unwrap_or_default();
        if product.reserved != pending {
            let expiring = match product.expiring {
                0 => String::new(),
                pieces => format!(" ({pieces} of them until their reservations run out)"),
            };
            let text = format!("{} pieces are reserved{expiring}, but pending orders have {pending}", product.reserved);
            find(Rule::PiecesBelongToOrders, about(), text);
        }
        if product.sold != ordered {
            let text = format!("{} pieces are sold, but confirmed orders have {ordered}", product.sold);
            find(Rule::PiecesBelongToOrders, about(), text);
        }
    }
    for (product, pieces) in pending.into_iter().chain(sold) {
        let text = format!("orders have {pieces} pieces of it, but there is no such product");
        find(Rule::PiecesBelongToOrders, format!("product {product}"), text);
    }
}

fn orders(books: &Books, find: &mut Find<'_>) {
    let mut payments: HashMap<OrderId, Vec<&PaymentAudit>> = HashMap::new();
    for payment in &books.payments {
        payments.entry(payment.order_id).or_default().push(payment);
    }
    for order in &books.orders {
        let payments = payments.remove(&order.id).unwrap_or_default();
        let sum = |of: fn(&PaymentAudit) -> Money| payments.iter().map(|payment| of(payment).cents()).sum::<i64>();
        let (captured, outside) = (sum(|payment| payment.captured), sum(|payment| payment.refunded_outside));
        let refunded = sum(|payment| payment.refunded) + outside;
        let (granted, refunding) = (sum(|payment| payment.granted), sum(|payment| payment.refunding));
        // Owed and not under way: it waits for the next attempt, or for a person.
        let awaiting = sum(|payment| payment.awaiting);
        let about = || format!("order {}", order.id);
        if (order.captured.cents(), order.refunded.cents()) != (captured, refunded) {
            let text = format!(
                "it knows of {} taken and {} given back, but its payments say {} and {}",
                order.captured,
                order.refunded,
                money(captured),
                money(refunded)
            );
            find(Rule::OrderKnowsItsMoney, about(), text);
        }
        let paid = order.payment_status == OrderPaymentStatus::Completed;
        let stands = order.status != OrderStatus::Cancelled;
        let worth = if paid && stands { order.total_amount.cents() - granted } else { 0 };
        if captured - refunded - awaiting != worth {
            let text = format!(
                "{} and {}, {} was taken and {} given back ({} is on its way, {} is awaited), so {} was kept, but it is worth {}",
                order.status,
                order.payment_status,
                money(captured),
                money(refunded),
                money(refunding),
                money(awaiting),
                money(captured - refunded - awaiting),
                money(worth)
            );
            find(Rule::MoneyMatchesOrder, about(), text);
        }
        if let Some(text) = torn(order).filter(|_| awaiting == 0) {
            find(Rule::MoneyMatchesOrder, about(), text);
        }
    }
    for (order, payments) in payments {
        for payment in payments {
            let text = format!("it is of order {order}, which does not exist");
            find(Rule::PaymentHasOrder, format!("payment {}", payment.id), text);
        }
    }
}

/// States that never stand together for long.
fn torn(order: &OrderAudit) -> Option<String> {
    let paid = order.payment_status == OrderPaymentStatus::Completed;
    match order.status {
        OrderStatus::Pending if paid => Some("it is paid, but pending".to_owned()),
        OrderStatus::Cancelled if paid => Some("it is cancelled, but paid".to_owned()),
        _ => None,
    }
}

fn provider(books: &Books, find: &mut Find<'_>) {
    let Some(intents) = &books.provider else { return };
    let mut ours: BTreeMap<&str, &PaymentAudit> = BTreeMap::new();
    for payment in &books.payments {
        if let Some(intent) = payment.intent.as_deref() {
            ours.insert(intent, payment);
        }
    }
    for intent in intents {
        let Some(payment) = ours.remove(intent.id.as_str()) else {
            if !intent.received.is_zero() {
                let of = intent.payment.map_or("none of ours".to_owned(), |payment| format!("payment {payment}"));
                let text = format!("the provider took {} by it for {of}, which no payment has", intent.received);
                find(Rule::ProviderAgrees, format!("intent {}", intent.id), text);
            }
            continue;
        };
        let (captured, refunded) =
            if payment.external { (Money::ZERO, Money::ZERO) } else { (payment.captured, payment.refunded) };
        if (intent.received, intent.refunded) != (captured, refunded) {
            let text = format!(
                "the provider took {} and gave {} back, but we have {captured} and {refunded}",
                intent.received, intent.refunded
            );
            find(Rule::ProviderAgrees, format!("payment {}", payment.id), text);
        }
    }
    for payment in ours.into_values().filter(|payment| !payment.external && !payment.captured.is_zero()) {
        let text = format!("{} was taken by an intent that the provider does not list", payment.captured);
        find(Rule::ProviderAgrees, format!("payment {}", payment.id), text);
    }
    let silent = books.payments.iter().filter(|payment| payment.intent.is_none() && !payment.external);
    for payment in silent.filter(|payment| payment.status == PaymentStatus::Completed) {
        find(Rule::ProviderAgrees, format!("payment {}", payment.id), "it is completed without an intent".to_owned());
    }
}

fn keys(books: &Books, find: &mut Find<'_>) {
    let mut by_key: BTreeMap<(&str, &str), Vec<&OrderAudit>> = BTreeMap::new();
    for order in &books.orders {
        if let Some(key) = order.idempotency_key.as_deref() {
            by_key.entry((order.placed_by.as_str(), key)).or_default().push(order);
        }
    }
    let mut seen = HashSet::new();
    for ((caller, key), mut orders) in by_key {
        orders.sort_by_key(|order| order.created_at);
        for pair in orders.windows(2) {
            let [first, second] = pair else { continue };
            if second.created_at - first.created_at < KEY_KEPT && seen.insert(second.id) {
                let text = format!("{caller} made it and order {} with the key `{key}`", first.id);
                find(Rule::KeyMadeOneOrder, format!("order {}", second.id), text);
            }
        }
    }
}

/// An amount that may be below zero.
fn money(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}", Money::from_cents(cents.abs()))
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
