//! Renders the mails of orders.
//!
//! A mail goes to the address of the account, not to the one in the order, which anybody may have typed: an order must not
//! make the shop write to strangers.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use common::database::QueuedMail;
use common::mail::{Body, MailContent, MailRenderer, Mailbox, PublicUrl, RenderError};
use contracts::{Money, UserId};

use super::OrderService;
use super::mails::{MailKind, MailPayload};
use crate::clients::UserClient;
use crate::domain::{Order, Tracking};

/// Renderer of the mails of orders.
pub(crate) struct OrderMailRenderer {
    /// Orders of the mails.
    pub(crate) orders: OrderService,
    /// Client for the customers' addresses and preferences.
    pub(crate) users: UserClient,
    /// Address of the shop in links.
    pub(crate) public_url: PublicUrl,
}

/// Maps an error of the store, of the user service or of unreadable data.
fn failed(error: impl Into<common::BoxError>) -> RenderError {
    RenderError::Failed(error.into())
}

#[async_trait]
impl MailRenderer for OrderMailRenderer {
    fn kinds(&self) -> &'static [&'static str] {
        MailKind::NAMES
    }

    async fn render(&self, mail: &QueuedMail, _now: DateTime<Utc>) -> Result<Option<MailContent>, RenderError> {
        let kind = MailKind::parse(&mail.kind).ok_or(RenderError::UnknownKind)?;
        let customer: UserId = mail.recipient.parse().map_err(failed)?;
        let MailPayload { order_id, amount } = mail.data().map_err(failed)?;
        // While the user service is unavailable the mail waits. A deleted account has no address.
        let Some(profile) = self.users.profile(customer).await.map_err(failed)? else { return Ok(None) };
        if !kind.is_about_money() && !profile.preferences.notifications {
            return Ok(None);
        }
        let order = self.orders.repository().find(order_id).await.map_err(failed)?;
        let Some(order) = order else { return Ok(None) };
        let name = format!("{} {}", profile.first_name, profile.last_name);
        let Ok(to) = Mailbox::new(&profile.email) else {
            tracing::error!(mail.id = %mail.id, order.id = %order_id, "mail dropped; the address of the account is invalid");
            return Ok(None);
        };
        let link = self.public_url.link(&format!("/orders/{order_id}"), &[]);
        let subject = format!("Your order {}{}", order.number, outcome(kind));
        let greeting = Body::new().paragraph(format!("Hello {},", profile.first_name));
        let body = text(greeting, kind, &order, amount).link("View your order", &link);
        Ok(Some(MailContent::new(to.with_name(&name), &subject, body)))
    }
}

/// Returns the end of the subject.
const fn outcome(kind: MailKind) -> &'static str {
    match kind {
        MailKind::Received => " was received",
        MailKind::Paid => " was paid",
        MailKind::Shipped => " was shipped",
        MailKind::Cancelled => " was cancelled",
        MailKind::Refunded => ": refund",
    }
}

fn text(body: Body, kind: MailKind, order: &Order, refunded: Option<Money>) -> Body {
    let money = |amount: Money| format!("{amount} {}", order.currency);
    match kind {
        MailKind::Received => {
            let body = body.paragraph(format!("We received your order {}.", order.number)).rows(lines(order));
            body.paragraph("An order that is not paid in time is cancelled.")
        }
        MailKind::Paid => body.paragraph(format!(
            "We received your payment for the order {}. The total is {}.",
            order.number,
            money(order.totals.total)
        )),
        MailKind::Shipped => {
            let body = body.paragraph(format!("Your order {} is on its way.", order.number));
            order.tracking.as_ref().map_or(body.clone(), |tracking| tracked(body, tracking))
        }
        MailKind::Cancelled => {
            let is_captured = order.payments.iter().any(|payment| payment.captured.is_some());
            let consequence = if is_captured {
                "Your payment is refunded. You receive a mail about each refund."
            } else {
                "Nothing was charged."
            };
            body.paragraph(format!("Your order {} was cancelled.", order.number)).paragraph(consequence)
        }
        MailKind::Refunded => body.paragraph(format!(
            "We refunded {} of your order {}. It may take some days until your bank shows it.",
            money(refunded.unwrap_or_default()),
            order.number
        )),
    }
}

fn tracked(body: Body, tracking: &Tracking) -> Body {
    let Tracking { carrier, number, url } = tracking;
    let rows = [("Carrier", carrier), ("Tracking number", number)];
    let body = body.rows(rows.map(|(name, value)| (name.to_owned(), value.clone())));
    match url {
        Some(url) => body.link("Track your parcel", url),
        None => body,
    }
}

/// Returns the items and amounts of an order.
fn lines(order: &Order) -> Vec<(String, String)> {
    let money = |amount: Money| format!("{amount} {}", order.currency);
    let items = order.items.iter();
    let items = items.map(|item| (format!("{} × {}", item.quantity, item.product_name), money(item.total_price)));
    let totals = order.totals;
    let amounts = [
        ("Subtotal", totals.subtotal),
        ("Tax", totals.tax),
        ("Shipping", totals.shipping),
        ("Discount", totals.discount),
        ("Total", totals.total),
    ];
    let amounts = amounts.into_iter().filter(|(name, amount)| *name != "Discount" || !amount.is_zero());
    items.chain(amounts.map(|(name, amount)| (name.to_owned(), money(amount)))).collect()
}
