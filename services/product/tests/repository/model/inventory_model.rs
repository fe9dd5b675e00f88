//! Model of the inventory: stock of each product and reservation of each order.

use std::collections::{BTreeMap, BTreeSet};

use super::stock_ops::{ORDERS, OrderEvent, OrderOutcome, PRODUCTS};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Balance {
    pub(crate) initial: i64,
    pub(crate) adjustments: i64,
    pub(crate) available: i64,
    pub(crate) reserved: i64,
    pub(crate) sold: i64,
    pub(crate) expiring: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Reserved,
    Held,
    Committed,
    /// Released stock, or a tombstone.
    Released,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Reservation {
    pub(crate) status: Status,
    pub(crate) lines: [i64; PRODUCTS],
    /// Second at which the reservation is due.
    pub(crate) due: i64,
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) now: i64,
    pub(crate) initial: [i64; PRODUCTS],
    pub(crate) adjustments: [i64; PRODUCTS],
    pub(crate) orders: BTreeMap<usize, Reservation>,
    /// Published events, by number.
    pub(crate) published: Vec<(usize, OrderEvent)>,
    pub(crate) handled: BTreeSet<usize>,
    /// Number of changes with an event.
    pub(crate) events: u64,
}

impl Model {
    /// Returns the stock balance of a product, derived from the reservations alone.
    pub(crate) fn balance(&self, product: usize) -> Balance {
        let of = |statuses: &[Status]| -> i64 {
            let orders = self.orders.values().filter(|order| statuses.contains(&order.status));
            orders.map(|order| order.lines[product]).sum()
        };
        let (initial, adjustments) = (self.initial[product], self.adjustments[product]);
        let (reserved, sold) = (of(&[Status::Reserved, Status::Held]), of(&[Status::Committed]));
        let available = initial + adjustments - reserved - sold;
        Balance { initial, adjustments, available, reserved, sold, expiring: of(&[Status::Reserved]) }
    }

    /// Creates a reservation; returns false if one exists or stock is insufficient.
    pub(crate) fn reserve(&mut self, order: usize, lines: [i64; PRODUCTS], ttl: i64) -> bool {
        let enough = (0..PRODUCTS).all(|product| lines[product] <= self.balance(product).available);
        if self.orders.contains_key(&order) || !enough {
            return false;
        }
        self.orders.insert(order, Reservation { status: Status::Reserved, lines, due: self.now + ttl });
        self.events += 1;
        true
    }

    /// Adjusts the stock; returns false if it is insufficient.
    pub(crate) fn adjust(&mut self, product: usize, by: i64) -> bool {
        let done = self.balance(product).available + by >= 0;
        if done {
            self.adjustments[product] += by;
            self.events += 1;
        }
        done
    }

    /// Releases a reservation unless its stock is sold.
    pub(crate) fn release(&mut self, order: usize) {
        match self.status(order) {
            Some(Status::Committed) => {}
            _ => self.cancel(order),
        }
    }

    /// Handles an event; returns false if it was handled before.
    pub(crate) fn deliver(&mut self, event: usize) -> bool {
        let first = self.handled.insert(event);
        match self.published[event] {
            _ if !first => {}
            (order, OrderEvent::Cancelled) => self.cancel(order),
            (order, OrderEvent::Confirmed) => {
                if matches!(self.status(order), Some(Status::Reserved | Status::Held)) {
                    self.set_status(order, Status::Committed);
                }
            }
        }
        first
    }

    pub(crate) fn due(&self) -> Vec<usize> {
        let due = |order: &usize| {
            self.orders.get(order).is_some_and(|one| one.status == Status::Reserved && one.due <= self.now)
        };
        (0..ORDERS).filter(due).collect()
    }

    /// Resolves a due reservation.
    pub(crate) fn expire(&mut self, order: usize, outcome: OrderOutcome) {
        match outcome {
            OrderOutcome::Unknown | OrderOutcome::Cancelled => self.set_status(order, Status::Released),
            OrderOutcome::Active => self.orders.get_mut(&order).unwrap().status = Status::Held,
            OrderOutcome::Unavailable => self.orders.get_mut(&order).unwrap().due = self.now + 5,
        }
    }

    fn cancel(&mut self, order: usize) {
        match self.status(order) {
            None => {
                let tombstone = Reservation { status: Status::Released, lines: [0; PRODUCTS], due: 0 };
                self.orders.insert(order, tombstone);
            }
            Some(Status::Released) => {}
            Some(_) => self.set_status(order, Status::Released),
        }
    }

    fn status(&self, order: usize) -> Option<Status> {
        self.orders.get(&order).map(|order| order.status)
    }

    fn set_status(&mut self, order: usize, status: Status) {
        self.orders.get_mut(&order).unwrap().status = status;
        self.events += 1;
    }
}
