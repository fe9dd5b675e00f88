//! Reservations: made and given back by the order service, settled by its events, looked after when they run out.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use common::effects::{Effects, Handled};
use common::store::StoreError;
use contracts::calls::{Abandoned, Reservation, ReservationLine, ReservationStatus};
use contracts::{Event, OrderId};

use super::Shop;
use crate::domain::{NewReservation, Step, add_up, lines_of, on_abandoned, on_cancelled, on_confirmed, on_released};
use crate::error::Error;
use crate::store::Reserved;

impl Shop {
    /// Reserves all lines or none; `true` if it is new, `false` if it was there already.
    pub(crate) async fn reserve(
        &self,
        order_id: OrderId,
        lines: &[ReservationLine],
    ) -> Result<(Reservation, bool), Error> {
        let now = self.clock.now();
        let new = NewReservation { order_id, lines: add_up(lines), expires_at: now + self.reservation_ttl };
        let wanted = Reservation {
            order_id,
            status: ReservationStatus::Reserved,
            expires_at: Some(new.expires_at),
            items: new.lines.clone(),
        };
        let effects = Effects::of(now, Event::StockReserved(lines_of(&wanted)));
        let reserved = self.stores.stock.reserve(&new, now, &effects).await;
        self.forget_lines(&new.lines).await;
        match reserved? {
            Reserved::New(reservation) => Ok((reservation, true)),
            Reserved::Existing(existing) => match existing.status {
                ReservationStatus::Released => Err(Error::ReservationReleased),
                ReservationStatus::Committed => Err(Error::ReservationCommitted),
                ReservationStatus::Reserved | ReservationStatus::Held if existing.items != new.lines => {
                    Err(Error::OtherItems)
                }
                ReservationStatus::Reserved | ReservationStatus::Held => Ok((existing, false)),
            },
            Reserved::Unknown(ids) => Err(Error::ProductsNotFound(ids)),
            Reserved::Short(shortages) => {
                self.figures.shortages.inc();
                Err(Error::InsufficientStock(shortages))
            }
        }
    }

    /// An order's reservation.
    pub(crate) async fn reservation(&self, order: OrderId) -> Result<Option<Reservation>, StoreError> {
        self.stores.stock.reservation(order).await
    }

    /// Gives back what is reserved; an order that has no reservation never gets one.
    pub(crate) async fn release(&self, order: OrderId) -> Result<(), Error> {
        let after =
            self.settle(order, None, |status| on_released(status).unwrap_or(Step::Keep), Event::StockReleased).await?;
        match after {
            Some(Reservation { status: ReservationStatus::Committed, .. }) => Err(Error::ReservationCommitted),
            _ => Ok(()),
        }
    }

    /// The order is confirmed, or further on.
    pub(crate) async fn confirmed(&self, order: OrderId, handled: Handled) -> Result<(), StoreError> {
        self.settle(order, Some(handled), on_confirmed, Event::StockCommitted).await.map(drop)
    }

    /// The order is cancelled.
    pub(crate) async fn cancelled(&self, order: OrderId, handled: Handled) -> Result<(), StoreError> {
        self.settle(order, Some(handled), on_cancelled, Event::StockReleased).await.map(drop)
    }

    /// It ran out, and the order service said what became of the order.
    pub(crate) async fn expired(&self, order: OrderId, answer: &Abandoned) -> Result<(), StoreError> {
        // An order that was cancelled did not let its reservation run out.
        let event = if answer.exists { Event::StockReleased } else { Event::StockExpired };
        let ran_out = AtomicBool::new(false);
        let rule = |status| {
            let step = on_abandoned(status, answer);
            ran_out.store(!answer.exists && step == Step::Release, Ordering::Relaxed);
            step
        };
        self.settle(order, None, rule, event).await?;
        if ran_out.into_inner() {
            self.figures.expired.inc();
        }
        Ok(())
    }

    /// Reservations that ran out, with the times that asking about each was put off.
    pub(crate) async fn due(&self, most: u32) -> Result<Vec<(OrderId, u32)>, StoreError> {
        self.stores.stock.due(self.clock.now(), most).await
    }

    /// When a reservation falls due next.
    pub(crate) async fn next_due(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.stores.stock.next_due().await
    }

    /// Asks about a reservation later.
    pub(crate) async fn put_off(&self, order: OrderId, delay: TimeDelta) -> Result<(), StoreError> {
        self.stores.stock.put_off(order, self.clock.now() + delay).await
    }

    /// Takes the step that the status leads to; `event` tells what moved pieces.
    async fn settle(
        &self,
        order: OrderId,
        handled: Option<Handled>,
        rule: impl Fn(Option<ReservationStatus>) -> Step + Send + Sync,
        event: fn(contracts::event::ReservationChanged) -> Event,
    ) -> Result<Option<Reservation>, StoreError> {
        let now = self.clock.now();
        let lines = Mutex::new(Vec::new());
        let decide = |before: Option<&Reservation>| {
            if let (Some(before), Ok(mut lines)) = (before, lines.lock()) {
                lines.clone_from(&before.items);
            }
            let step = rule(before.map(|reservation| reservation.status));
            let effects = match (step, before) {
                (Step::Commit | Step::Release | Step::Restock, Some(before)) => {
                    Effects::of(now, event(lines_of(before)))
                }
                _ => Effects::none(),
            };
            (step, Effects { handled, ..effects })
        };
        let after = self.stores.stock.change(order, now, &decide).await;
        // Whatever came of it: a commit whose outcome is unknown may have been done.
        self.forget_lines(&lines.into_inner().unwrap_or_default()).await;
        after
    }
}
