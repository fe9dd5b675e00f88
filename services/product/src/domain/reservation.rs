//! Reservations: state machine of the stock that an order holds.
//!
//! `reserved` becomes `held`, `committed` or `released`; `held` becomes `committed` or `released`; `committed` becomes
//! `released` if the order is cancelled afterwards. `released` is final. Messages arrive late, repeatedly and out of
//! order: a message that does not apply to the current state changes nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use contracts::api::{AbandonResponse, OrderStatus, Reservation, ReservationLine, ReservationStatus};
use contracts::event::{Line, ReservationChanged};
use contracts::{Event, OrderId, ProductId};

/// Reservation to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewReservation {
    /// Order that the stock is reserved for.
    pub order_id: OrderId,
    /// Lines in the order of their product ids, one per product.
    pub lines: Vec<ReservationLine>,
    /// Time of expiry.
    pub expires_at: DateTime<Utc>,
}

impl NewReservation {
    /// Returns the event of the creation.
    pub(crate) fn event(&self) -> Event {
        Event::StockReserved(to_event(self.order_id, &self.lines))
    }
}

/// Transition of a reservation and of the stock that it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReservationAction {
    /// Reservation action: no transition.
    Keep,
    /// Tombstone that prevents a later reservation of the order.
    Tombstone,
    /// Confirmation that the order exists: the stock stays reserved without expiry.
    Hold,
    /// Reservation action: sale of the reserved stock.
    Commit,
    /// Reservation action: return of the reserved stock.
    Release,
    /// Return of the reserved stock, because the order was never placed.
    Expire,
    /// Reservation action: return of the sold stock.
    Restock,
}

impl ReservationAction {
    /// Returns the event of the transition; `None` if it moves no stock.
    #[must_use]
    pub fn event(self, reservation: &Reservation) -> Option<Event> {
        let changed = to_event(reservation.order_id, &reservation.items);
        match self {
            Self::Keep | Self::Tombstone | Self::Hold => None,
            Self::Commit => Some(Event::StockCommitted(changed)),
            Self::Release | Self::Restock => Some(Event::StockReleased(changed)),
            Self::Expire => Some(Event::StockExpired(changed)),
        }
    }
}

/// Returns the action for an order that is confirmed or in a later status.
#[must_use]
pub fn on_confirmed(status: Option<ReservationStatus>) -> ReservationAction {
    match status {
        Some(ReservationStatus::Reserved | ReservationStatus::Held) => ReservationAction::Commit,
        None | Some(ReservationStatus::Committed | ReservationStatus::Released) => ReservationAction::Keep,
    }
}

/// Returns the action for a cancelled order.
#[must_use]
pub fn on_cancelled(status: Option<ReservationStatus>) -> ReservationAction {
    match status {
        None => ReservationAction::Tombstone,
        Some(ReservationStatus::Reserved | ReservationStatus::Held) => ReservationAction::Release,
        Some(ReservationStatus::Committed) => ReservationAction::Restock,
        Some(ReservationStatus::Released) => ReservationAction::Keep,
    }
}

/// Returns the action for a release by the order service; `None` if the stock is sold and the release is rejected.
#[must_use]
pub fn on_released(status: Option<ReservationStatus>) -> Option<ReservationAction> {
    match status {
        Some(ReservationStatus::Committed) => None,
        other => Some(on_cancelled(other)),
    }
}

/// Returns the action for an expired reservation, given the order service's response.
#[must_use]
pub fn on_abandoned(status: Option<ReservationStatus>, outcome: &AbandonResponse) -> ReservationAction {
    match status {
        Some(ReservationStatus::Reserved) if !outcome.exists => ReservationAction::Expire,
        // The order existed and was cancelled: its reservation is released, as by its own event, and not reported as expired.
        Some(ReservationStatus::Reserved) if outcome.status == Some(OrderStatus::Cancelled) => {
            ReservationAction::Release
        }
        Some(ReservationStatus::Reserved) => ReservationAction::Hold,
        _ => ReservationAction::Keep,
    }
}

/// Merges lines of the same product; the result is ordered by product id.
#[must_use]
pub fn merge_lines(lines: &[ReservationLine]) -> Vec<ReservationLine> {
    let mut sums: BTreeMap<ProductId, i64> = BTreeMap::new();
    for line in lines {
        let sum = sums.entry(line.product_id).or_default();
        *sum = sum.saturating_add(line.quantity);
    }
    sums.into_iter().map(|(product_id, quantity)| ReservationLine { product_id, quantity }).collect()
}

fn to_event(order_id: OrderId, lines: &[ReservationLine]) -> ReservationChanged {
    let line = |line: &ReservationLine| Line { product_id: line.product_id, quantity: line.quantity };
    ReservationChanged { order_id, items: lines.iter().map(line).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ReservationAction::{Commit, Expire, Hold, Keep, Release, Restock, Tombstone};
    use ReservationStatus::{Committed, Held, Released, Reserved};

    const ALL: [Option<ReservationStatus>; 5] = [None, Some(Reserved), Some(Held), Some(Committed), Some(Released)];

    #[test]
    fn confirmation_commits_only_reserved_and_held_stock() {
        assert_eq!(ALL.map(on_confirmed), [Keep, Commit, Commit, Keep, Keep]);
    }

    #[test]
    fn cancellation_returns_all_stock_once() {
        assert_eq!(ALL.map(on_cancelled), [Tombstone, Release, Release, Restock, Keep]);
    }

    #[test]
    fn release_of_sold_stock_is_rejected() {
        assert_eq!(ALL.map(on_released), [Some(Tombstone), Some(Release), Some(Release), None, Some(Keep)]);
    }

    #[test]
    fn expiry_depends_on_the_order() {
        let outcome = |exists, status| AbandonResponse { exists, status };
        for (outcome, action) in [
            (outcome(false, None), Expire),
            (outcome(true, Some(OrderStatus::Pending)), Hold),
            (outcome(true, Some(OrderStatus::Confirmed)), Hold),
            (outcome(true, None), Hold),
            (outcome(true, Some(OrderStatus::Cancelled)), Release),
        ] {
            let actions = ALL.map(|status| on_abandoned(status, &outcome));
            assert_eq!(actions, [Keep, action, Keep, Keep, Keep], "{outcome:?}");
        }
    }

    #[test]
    fn transitions_that_move_stock_have_an_event() {
        let reservation = Reservation {
            order_id: OrderId::generate(DateTime::UNIX_EPOCH),
            status: Reserved,
            expires_at: None,
            items: vec![ReservationLine { product_id: ProductId::new(1), quantity: 2 }],
        };
        let changed = to_event(reservation.order_id, &reservation.items);
        for (action, event) in [
            (Keep, None),
            (Tombstone, None),
            (Hold, None),
            (Commit, Some(Event::StockCommitted(changed.clone()))),
            (Release, Some(Event::StockReleased(changed.clone()))),
            (Restock, Some(Event::StockReleased(changed.clone()))),
            (Expire, Some(Event::StockExpired(changed))),
        ] {
            assert_eq!(action.event(&reservation), event, "{action:?}");
        }
    }

    #[test]
    fn merged_lines_are_ordered_by_product_id() {
        let line = |id, quantity| ReservationLine { product_id: ProductId::new(id), quantity };
        let lines = merge_lines(&[line(9, 1), line(2, 3), line(9, 4), line(1, i64::MAX), line(1, 1)]);
        assert_eq!(lines, [line(1, i64::MAX), line(2, 3), line(9, 5)]);
        assert!(merge_lines(&[]).is_empty());
    }
}
