//! Kinds of mails of orders.

use chrono::{DateTime, Utc};
use common::database::NewMail;
use contracts::{Money, OrderId};
use serde::{Deserialize, Serialize};

use crate::domain::{Notice, Order};

/// Names of the kinds in the queue.
pub(super) const KINDS: &[&str] =
    &["order_received", "order_paid", "order_shipped", "order_cancelled", "order_refunded"];

/// Kind of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MailKind {
    /// Mail kind: confirmation of a placed order.
    Received,
    /// Mail kind: confirmation of a payment.
    Paid,
    /// Mail kind: shipment with its tracking.
    Shipped,
    /// Mail kind: cancellation.
    Cancelled,
    /// Mail kind: confirmation of a refund.
    Refunded,
}

/// Data of a mail in the queue. The address is read from the account and the rest from the order when the mail is sent.
#[derive(Serialize, Deserialize)]
pub(super) struct MailPayload {
    /// Order of the mail.
    pub(super) order_id: OrderId,
    /// Refunded amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) amount: Option<Money>,
}

impl MailKind {
    const ALL: [Self; 5] = [Self::Received, Self::Paid, Self::Shipped, Self::Cancelled, Self::Refunded];

    /// Returns the kind of a name.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Returns the name of the kind.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Received => KINDS[0],
            Self::Paid => KINDS[1],
            Self::Shipped => KINDS[2],
            Self::Cancelled => KINDS[3],
            Self::Refunded => KINDS[4],
        }
    }

    /// Returns whether the mail is about money, and is sent whatever the customer's preferences are.
    pub(super) const fn is_about_money(self) -> bool {
        matches!(self, Self::Paid | Self::Refunded)
    }
}

/// Creates the mail of a notice to the customer of an order.
pub(super) fn mail(notice: Notice, order: &Order, now: DateTime<Utc>) -> NewMail {
    let (kind, amount) = match notice {
        Notice::Received => (MailKind::Received, None),
        Notice::Paid => (MailKind::Paid, None),
        Notice::Shipped => (MailKind::Shipped, None),
        Notice::Cancelled => (MailKind::Cancelled, None),
        Notice::Refunded(amount) => (MailKind::Refunded, Some(amount)),
    };
    let payload = serde_json::json!(MailPayload { order_id: order.id, amount });
    NewMail::new(now, kind.as_str(), &order.user_id, payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_distinct_names() {
        for (kind, name) in MailKind::ALL.into_iter().zip(KINDS) {
            assert_eq!((kind.as_str(), MailKind::parse(name)), (*name, Some(kind)));
        }
        assert_eq!(MailKind::parse("welcome"), None);
        let about_money: Vec<_> = MailKind::ALL.into_iter().filter(|kind| kind.is_about_money()).collect();
        assert_eq!(about_money, [MailKind::Paid, MailKind::Refunded]);
    }
}
