//! Filters of the list of orders, and the summary of a period.

use common::database::Period;
use contracts::api::{OrderPaymentStatus, OrderStatus};
use contracts::{Money, UserId};

/// Filter of a list of orders. An empty one matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderFilter {
    /// Customer of the orders.
    pub user_id: Option<UserId>,
    /// Status of the orders.
    pub status: Option<OrderStatus>,
    /// Payment status of the orders.
    pub payment_status: Option<OrderPaymentStatus>,
    /// Text in the number, the e-mail address or the name; case and diacritics are ignored. One of diacritics alone
    /// matches all.
    pub search: Option<String>,
    /// Time of placement.
    pub period: Period,
}

/// Summary of a period: numbers of orders, and amounts in one currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderSummary {
    /// Orders that were placed in the period.
    pub placed: i64,
    /// Of those placed in the period: orders that were confirmed and are not cancelled.
    pub confirmed: i64,
    /// Orders that were shipped in the period, whenever they were placed.
    pub shipped: i64,
    /// Orders that were delivered in the period, whenever they were placed.
    pub delivered: i64,
    /// Of those placed in the period: orders that are cancelled.
    pub cancelled: i64,
    /// Of those placed in the period: orders that are neither delivered nor cancelled.
    pub open: i64,
    /// Captured amount that counts toward the totals of the orders placed in the period. Refunds are not subtracted.
    pub revenue: Money,
    /// Refunded amount of the captures in [`Self::revenue`].
    pub refunded: Money,
}

/// Orders placed in a period that share a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusTotal {
    /// Status of the orders.
    pub status: OrderStatus,
    /// Number of orders.
    pub orders: i64,
    /// Captured amount in the currency of the summary.
    pub captured: Money,
}

impl OrderSummary {
    /// Adds up the orders placed in a period; the other numbers are zero.
    pub fn of_placed(totals: impl IntoIterator<Item = StatusTotal>) -> Self {
        let mut summary = Self::default();
        for StatusTotal { status, orders, captured } in totals {
            summary.placed += orders;
            summary.revenue = [summary.revenue, captured].into_iter().sum();
            match status {
                OrderStatus::Pending => {}
                OrderStatus::Confirmed | OrderStatus::Processing | OrderStatus::Shipped | OrderStatus::Delivered => {
                    summary.confirmed += orders;
                }
                OrderStatus::Cancelled => summary.cancelled += orders,
            }
            if !matches!(status, OrderStatus::Delivered | OrderStatus::Cancelled) {
                summary.open += orders;
            }
        }
        summary
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placed_orders_are_pending_confirmed_or_cancelled() {
        // One order of the first status, two of the second, and so on.
        let totals = (1..).zip(OrderStatus::ALL).map(|(orders, status)| StatusTotal {
            status: *status,
            orders,
            captured: Money::from_cents(10 * orders),
        });
        let summary = OrderSummary::of_placed(totals);
        let number =
            |status| 1 + i64::try_from(OrderStatus::ALL.iter().position(|one| *one == status).unwrap()).unwrap();
        let [pending, cancelled, delivered] =
            [OrderStatus::Pending, OrderStatus::Cancelled, OrderStatus::Delivered].map(number);
        let expected = OrderSummary {
            placed: 21,
            confirmed: 21 - pending - cancelled,
            cancelled,
            open: 21 - delivered - cancelled,
            revenue: Money::from_cents(210),
            ..OrderSummary::default()
        };
        assert_eq!(summary, expected);
    }
}
