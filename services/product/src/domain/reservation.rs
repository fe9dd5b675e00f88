//! Reservations: how an order's pieces leave the shelf and come back.
//!
//! `reserved` becomes `held`, `committed` or `released`, `held` the latter two, `committed` becomes `released` when the
//! order is cancelled after all. `released` is the end. Messages come late, twice and overtaken: what a state does not
//! lead to changes nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use contracts::calls::{Abandoned, OrderStatus, Reservation, ReservationLine, ReservationStatus};
use contracts::event::{Line, ReservationChanged};
use contracts::{OrderId, ProductId};

/// A reservation that is about to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewReservation {
    /// For which order.
    pub order_id: OrderId,
    /// One line a product, by product id.
    pub lines: Vec<ReservationLine>,
    /// When it runs out.
    pub expires_at: DateTime<Utc>,
}

/// What is done to a reservation and to the pieces that it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Keep,
    /// An order that has no reservation never gets one.
    Bury,
    /// The order exists: the pieces stay reserved without expiry.
    Hold,
    /// The pieces are sold.
    Commit,
    /// Reserved pieces go back on the shelf.
    Release,
    /// Sold pieces go back on the shelf.
    Restock,
}

/// The order is confirmed, or further on.
#[must_use]
pub fn on_confirmed(status: Option<ReservationStatus>) -> Step {
    match status {
        Some(ReservationStatus::Reserved | ReservationStatus::Held) => Step::Commit,
        None | Some(ReservationStatus::Committed | ReservationStatus::Released) => Step::Keep,
    }
}

/// The order is cancelled.
#[must_use]
pub fn on_cancelled(status: Option<ReservationStatus>) -> Step {
    match status {
        None => Step::Bury,
        Some(ReservationStatus::Reserved | ReservationStatus::Held) => Step::Release,
        Some(ReservationStatus::Committed) => Step::Restock,
        Some(ReservationStatus::Released) => Step::Keep,
    }
}

/// The order service gives it back; `None` if the pieces are sold.
#[must_use]
pub fn on_released(status: Option<ReservationStatus>) -> Option<Step> {
    match status {
        Some(ReservationStatus::Committed) => None,
        other => Some(on_cancelled(other)),
    }
}

/// It ran out, and the order service said what became of the order.
#[must_use]
pub fn on_abandoned(status: Option<ReservationStatus>, answer: &Abandoned) -> Step {
    match status {
        Some(ReservationStatus::Reserved) if !answer.exists => Step::Release,
        Some(ReservationStatus::Reserved) if answer.status == Some(OrderStatus::Cancelled) => Step::Release,
        Some(ReservationStatus::Reserved) => Step::Hold,
        _ => Step::Keep,
    }
}

/// One line a product, by product id: lines of the same product are added up.
#[must_use]
pub fn add_up(lines: &[ReservationLine]) -> Vec<ReservationLine> {
    let mut sums: BTreeMap<ProductId, i64> = BTreeMap::new();
    for line in lines {
        let sum = sums.entry(line.product_id).or_default();
        *sum = sum.saturating_add(line.quantity);
    }
    sums.into_iter().map(|(product_id, quantity)| ReservationLine { product_id, quantity }).collect()
}

/// What the events about a reservation tell of it.
#[must_use]
pub fn lines_of(reservation: &Reservation) -> ReservationChanged {
    let line = |line: &ReservationLine| Line { product_id: line.product_id, quantity: line.quantity };
    ReservationChanged { order_id: reservation.order_id, items: reservation.items.iter().map(line).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ReservationStatus::{Committed, Held, Released, Reserved};

    const ALL: [Option<ReservationStatus>; 5] = [None, Some(Reserved), Some(Held), Some(Committed), Some(Released)];

    #[test]
    fn only_what_is_on_the_shelf_for_an_order_is_sold() {
        let steps = ALL.map(on_confirmed);
        assert_eq!(steps, [Step::Keep, Step::Commit, Step::Commit, Step::Keep, Step::Keep]);
    }

    #[test]
    fn a_cancelled_order_gives_everything_back_once() {
        let steps = ALL.map(on_cancelled);
        assert_eq!(steps, [Step::Bury, Step::Release, Step::Release, Step::Restock, Step::Keep]);
    }

    #[test]
    fn what_is_sold_is_not_released() {
        let steps = ALL.map(on_released);
        let expected = [Some(Step::Bury), Some(Step::Release), Some(Step::Release), None, Some(Step::Keep)];
        assert_eq!(steps, expected);
    }

    #[test]
    fn what_ran_out_follows_the_order() {
        let answer = |exists, status| Abandoned { exists, status };
        for (answer, step) in [
            (answer(false, None), Step::Release),
            (answer(true, Some(OrderStatus::Pending)), Step::Hold),
            (answer(true, Some(OrderStatus::Confirmed)), Step::Hold),
            (answer(true, None), Step::Hold),
            (answer(true, Some(OrderStatus::Cancelled)), Step::Release),
        ] {
            let steps = ALL.map(|status| on_abandoned(status, &answer));
            assert_eq!(steps, [Step::Keep, step, Step::Keep, Step::Keep, Step::Keep], "{answer:?}");
        }
    }

    #[test]
    fn lines_of_a_product_are_added_up_in_id_order() {
        let line = |id, quantity| ReservationLine { product_id: ProductId::new(id), quantity };
        let lines = add_up(&[line(9, 1), line(2, 3), line(9, 4), line(1, i64::MAX), line(1, 1)]);
        assert_eq!(lines, [line(1, i64::MAX), line(2, 3), line(9, 5)]);
        assert!(add_up(&[]).is_empty());
    }
}
