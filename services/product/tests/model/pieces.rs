//! The model: where each piece is, and how far each order's reservation.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::{Fate, ORDERS, PRODUCTS, Told};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pieces {
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
    Sold,
    /// Given back, or never to be.
    Gone,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Reservation {
    pub(crate) status: Status,
    pub(crate) lines: [i64; PRODUCTS],
    /// The second at which it is asked about.
    pub(crate) due: i64,
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) now: i64,
    pub(crate) initial: [i64; PRODUCTS],
    pub(crate) adjustments: [i64; PRODUCTS],
    pub(crate) orders: BTreeMap<usize, Reservation>,
    /// Events that were published, by number.
    pub(crate) published: Vec<(usize, Told)>,
    pub(crate) handled: BTreeSet<usize>,
    /// Changes that others were told of.
    pub(crate) told: u64,
}

impl Model {
    /// Where the pieces are: it follows from the reservations alone.
    pub(crate) fn pieces(&self, product: usize) -> Pieces {
        let of = |wanted: &[Status]| -> i64 {
            let orders = self.orders.values().filter(|order| wanted.contains(&order.status));
            orders.map(|order| order.lines[product]).sum()
        };
        let (initial, adjustments) = (self.initial[product], self.adjustments[product]);
        let (reserved, sold) = (of(&[Status::Reserved, Status::Held]), of(&[Status::Sold]));
        let available = initial + adjustments - reserved - sold;
        Pieces { initial, adjustments, available, reserved, sold, expiring: of(&[Status::Reserved]) }
    }

    /// Whether it is made; one that exists is left as it is.
    pub(crate) fn reserve(&mut self, order: usize, lines: [i64; PRODUCTS], ttl: i64) -> bool {
        let enough = (0..PRODUCTS).all(|product| lines[product] <= self.pieces(product).available);
        if self.orders.contains_key(&order) || !enough {
            return false;
        }
        self.orders.insert(order, Reservation { status: Status::Reserved, lines, due: self.now + ttl });
        self.told += 1;
        true
    }

    /// Whether there is as much to take away.
    pub(crate) fn adjust(&mut self, product: usize, by: i64) -> bool {
        let done = self.pieces(product).available + by >= 0;
        if done {
            self.adjustments[product] += by;
            self.told += 1;
        }
        done
    }

    /// An order gives back what it holds, unless it is sold.
    pub(crate) fn release(&mut self, order: usize) {
        match self.status(order) {
            Some(Status::Sold) => {}
            _ => self.cancel(order),
        }
    }

    /// Whether an event has its effect, which it has once.
    pub(crate) fn deliver(&mut self, event: usize) -> bool {
        let first = self.handled.insert(event);
        match self.published[event] {
            _ if !first => {}
            (order, Told::Cancelled) => self.cancel(order),
            (order, Told::Confirmed) => {
                if matches!(self.status(order), Some(Status::Reserved | Status::Held)) {
                    self.turn(order, Status::Sold);
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

    /// What ran out is asked about.
    pub(crate) fn expire(&mut self, order: usize, fate: Fate) {
        match fate {
            Fate::Never | Fate::Cancelled => self.turn(order, Status::Gone),
            Fate::Stands => self.orders.get_mut(&order).unwrap().status = Status::Held,
            Fate::Unanswered => self.orders.get_mut(&order).unwrap().due = self.now + 5,
        }
    }

    fn cancel(&mut self, order: usize) {
        match self.status(order) {
            None => drop(self.orders.insert(order, Reservation { status: Status::Gone, lines: [0; PRODUCTS], due: 0 })),
            Some(Status::Gone) => {}
            Some(_) => self.turn(order, Status::Gone),
        }
    }

    fn status(&self, order: usize) -> Option<Status> {
        self.orders.get(&order).map(|order| order.status)
    }

    fn turn(&mut self, order: usize, status: Status) {
        self.orders.get_mut(&order).unwrap().status = status;
        self.told += 1;
    }
}
