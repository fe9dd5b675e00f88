//! Execution of a plan on repository and model, which are compared after each command.

use chrono::{DateTime, TimeDelta, Utc};
use common::database::store::StoreError;
use common::database::transaction_effects::{Effects, InboxRecord};
use contracts::api::{AbandonResponse, OrderStatus, Product, Reservation, ReservationLine, ReservationStatus};
use contracts::audit::ProductAudit;
use contracts::{EventId, OrderId, ProductId};
use product_service::domain::{
    NewProduct, NewReservation, ReservationAction, on_abandoned, on_cancelled, on_confirmed, on_released,
};
use product_service::repository::{AdjustOutcome, InventoryRepository, ReserveOutcome};

use super::inventory_model::{Balance, Model, Status};
use super::stock_ops::{Command, ORDERS, OrderEvent, OrderOutcome, PRODUCTS, Plan};
use crate::support::{Fixture, START, adjustment, new, some_event};

/// Upper bound of the reservations that failed plans leave behind.
const ALL: u32 = 100_000;

struct Runner<'a> {
    fixture: &'a Fixture,
    model: Model,
    products: Vec<ProductId>,
    orders: Vec<OrderId>,
    /// Ids of the published events.
    events: Vec<EventId>,
}

/// Executes a plan; returns the number of its commands.
pub(crate) async fn run(fixture: &Fixture, plan: Plan) -> usize {
    let pending = fixture.outbox.state(START).await.unwrap().pending;
    let mut products = Vec::new();
    for stock_quantity in plan.initial {
        let new = NewProduct { stock_quantity, ..new("Mug") };
        products.push(fixture.products.create(&new, START, &|_| Effects::none()).await.unwrap().id);
    }
    let orders = (0..ORDERS).map(|_| OrderId::generate(START)).collect();
    let model = Model { initial: plan.initial, ..Model::default() };
    let mut runner = Runner { fixture, model, products, orders, events: Vec::new() };
    for command in &plan.commands {
        runner.execute(*command).await;
        runner.compare().await;
    }
    // Finally every order is cancelled, which returns all stock.
    for order in 0..ORDERS {
        runner.execute(Command::Publish(order, OrderEvent::Cancelled)).await;
        runner.execute(Command::Deliver(runner.events.len() - 1)).await;
    }
    runner.compare().await;
    for product in 0..PRODUCTS {
        let balance = runner.model.balance(product);
        assert_eq!((balance.reserved, balance.sold), (0, 0));
    }
    let events = fixture.outbox.state(START).await.unwrap().pending - pending;
    assert_eq!(events, runner.model.events, "each change of stock has one event");
    plan.commands.len()
}

impl Runner<'_> {
    async fn execute(&mut self, command: Command) {
        match command {
            Command::Reserve(order, lines, ttl) => self.reserve(order, lines, ttl).await,
            Command::Release(order) => {
                self.model.release(order);
                self.update(order, None, |status| on_released(status).unwrap_or(ReservationAction::Keep))
                    .await
                    .unwrap();
            }
            Command::Publish(order, event) => {
                self.model.published.push((order, event));
                self.events.push(EventId::generate(START));
            }
            Command::Deliver(_) if self.events.is_empty() => {}
            Command::Deliver(index) => self.deliver(index % self.events.len()).await,
            Command::Pass(seconds) => self.model.now += seconds,
            Command::Expire(outcomes) => self.expire(outcomes).await,
            Command::Adjust(product, by) => {
                let id = self.products[product];
                let effects = |_: &Product| some_event(id);
                let adjusted = self.inventory().adjust(id, &adjustment(by), self.now(), &effects).await.unwrap();
                let available = self.model.balance(product).available;
                if self.model.adjust(product, by) {
                    assert!(
                        matches!(&adjusted, AdjustOutcome::Adjusted(one) if one.stock_quantity == available + by),
                        "{adjusted:?}"
                    );
                } else {
                    assert_eq!(adjusted, AdjustOutcome::Insufficient(available));
                }
            }
        }
    }

    async fn reserve(&mut self, order: usize, quantities: [i64; PRODUCTS], ttl: i64) {
        let new = NewReservation {
            order_id: self.orders[order],
            lines: self.lines(quantities),
            expires_at: self.now() + TimeDelta::seconds(ttl),
        };
        let existing = self.model.orders.contains_key(&order);
        let effects = some_event(self.products[0]);
        let reserved = self.inventory().reserve(&new, self.now(), &effects).await.unwrap();
        match (self.model.reserve(order, quantities, ttl), existing) {
            (true, _) => {
                assert!(matches!(&reserved, ReserveOutcome::Created(one) if one.items == new.lines), "{reserved:?}");
            }
            (false, true) => assert!(matches!(reserved, ReserveOutcome::Existing(_)), "{reserved:?}"),
            (false, false) => assert!(matches!(reserved, ReserveOutcome::Insufficient(_)), "{reserved:?}"),
        }
    }

    async fn deliver(&mut self, event: usize) {
        let inbox_record = InboxRecord { consumer: "model", event_id: self.events[event] };
        let (order, event_type) = self.model.published[event];
        let rule = match event_type {
            OrderEvent::Confirmed => on_confirmed,
            OrderEvent::Cancelled => on_cancelled,
        };
        let outcome = self.update(order, Some(inbox_record), rule).await;
        if self.model.deliver(event) {
            outcome.unwrap();
        } else {
            assert!(matches!(outcome, Err(StoreError::AlreadyHandled)), "{outcome:?}");
        }
    }

    async fn expire(&mut self, outcomes: [OrderOutcome; ORDERS]) {
        let inventory = self.inventory();
        let due: Vec<_> =
            inventory.list_due(self.now(), ALL).await.unwrap().into_iter().map(|(order, _)| order).collect();
        let expected = self.model.due();
        let ours: Vec<_> = (0..ORDERS).filter(|order| due.contains(&self.orders[*order])).collect();
        assert_eq!(ours, expected, "due reservations");
        for order in expected {
            self.model.expire(order, outcomes[order]);
            let response = match outcomes[order] {
                OrderOutcome::Unknown => AbandonResponse { exists: false, status: None },
                OrderOutcome::Active => AbandonResponse { exists: true, status: Some(OrderStatus::Pending) },
                OrderOutcome::Cancelled => AbandonResponse { exists: true, status: Some(OrderStatus::Cancelled) },
                OrderOutcome::Unavailable => {
                    let until = self.now() + TimeDelta::seconds(5);
                    self.inventory().postpone(self.orders[order], until).await.unwrap();
                    continue;
                }
            };
            self.update(order, None, |status| on_abandoned(status, &response)).await.unwrap();
        }
    }

    /// Applies the action that the rule chooses, with an event if it moves stock.
    async fn update(
        &self,
        order: usize,
        inbox_record: Option<InboxRecord>,
        rule: impl Fn(Option<ReservationStatus>) -> ReservationAction + Send + Sync,
    ) -> Result<Option<Reservation>, StoreError> {
        let decide = |before: Option<&Reservation>| {
            let action = rule(before.map(|reservation| reservation.status));
            let event = before.and_then(|reservation| action.event(reservation));
            let effects = event.map_or_else(Effects::none, |_| some_event(self.products[0]));
            (action, Effects { inbox: inbox_record, ..effects })
        };
        self.inventory().update(self.orders[order], self.now(), &decide).await
    }

    async fn compare(&self) {
        let inventory = self.inventory();
        let before = ProductId::new(self.products[0].get() - 1);
        let audited = inventory.audit_page(Some(before), PRODUCTS.try_into().unwrap()).await.unwrap();
        assert_eq!(audited.iter().map(|row| row.id).collect::<Vec<_>>(), self.products);
        for (index, row) in audited.iter().enumerate() {
            let balance = balance(row);
            assert_eq!(balance, self.model.balance(index), "product {index}");
            assert!([row.available, row.reserved, row.sold].iter().all(|count| *count >= 0), "{row:?}");
            assert_eq!(row.initial + row.adjustments, row.available + row.reserved + row.sold);
            let product = self.fixture.products.find(row.id).await.unwrap().unwrap();
            assert_eq!(product.stock_quantity, row.available);
        }
        for (order, id) in self.orders.iter().enumerate() {
            let stored = inventory.find_reservation(*id).await.unwrap().map(|one| (one.status, one.items));
            let expected = self.model.orders.get(&order).map(|one| (status(one.status), self.lines(one.lines)));
            assert_eq!(stored, expected, "order {order}");
        }
    }

    fn inventory(&self) -> &dyn InventoryRepository {
        &*self.fixture.inventory
    }

    fn now(&self) -> DateTime<Utc> {
        START + TimeDelta::seconds(self.model.now)
    }

    fn lines(&self, quantities: [i64; PRODUCTS]) -> Vec<ReservationLine> {
        let lines = self.products.iter().zip(quantities).filter(|(_, quantity)| *quantity > 0);
        lines.map(|(product_id, quantity)| ReservationLine { product_id: *product_id, quantity }).collect()
    }
}

fn balance(row: &ProductAudit) -> Balance {
    Balance {
        initial: row.initial,
        adjustments: row.adjustments,
        available: row.available,
        reserved: row.reserved,
        sold: row.sold,
        expiring: row.expiring,
    }
}

const fn status(of: Status) -> ReservationStatus {
    match of {
        Status::Reserved => ReservationStatus::Reserved,
        Status::Held => ReservationStatus::Held,
        Status::Committed => ReservationStatus::Committed,
        Status::Released => ReservationStatus::Released,
    }
}
