//! Kinds of mails of orders.

use chrono::{DateTime, Utc};
use common::database::NewMail;
use contracts::{Money, OrderId};
use serde::{Deserialize, Serialize};

use crate::domain::{Notice, Order};

common::mail_kinds! {
    /// Kind of a mail.
    pub(super) enum MailKind {
        /// Mail kind: confirmation of a placed order.
        Received = "order_received",
        /// Mail kind: confirmation of a payment.
        Paid = "order_paid",
        /// Mail kind: shipment with its tracking.
        Shipped = "order_shipped",
        /// Mail kind: cancellation.
        Cancelled = "order_cancelled",
        /// Mail kind: confirmation of a refund.
        Refunded = "order_refunded",
    }
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
        for (kind, name) in MailKind::ALL.iter().copied().zip(MailKind::NAMES) {
            assert_eq!((kind.as_str(), MailKind::parse(name)), (*name, Some(kind)));
        }
        assert_eq!(MailKind::parse("welcome"), None);
        let about_money: Vec<_> = MailKind::ALL.iter().copied().filter(|kind| kind.is_about_money()).collect();
        assert_eq!(about_money, [MailKind::Paid, MailKind::Refunded]);
    }
}
