//! A plan is followed by store and model alike, and after each command they are compared.

use chrono::{DateTime, TimeDelta, Utc};
use common::effects::{Effects, Handled};
use common::store::StoreError;
use contracts::audit::ProductAudit;
use contracts::calls::{Abandoned, OrderStatus, Product, Reservation, ReservationLine, ReservationStatus};
use contracts::event::StockUpdated;
use contracts::{Event, EventId, Money, OrderId, ProductId};
use product_service::domain::{
    NewProduct, NewReservation, Step, on_abandoned, on_cancelled, on_confirmed, on_released,
};
use product_service::store::{Adjusted, Reserved};

use super::Fixture;
use super::pieces::{Model, Pieces, Status};
use super::plan::{Command, Fate, ORDERS, PRODUCTS, Plan, Told};

const START: DateTime<Utc> = DateTime::from_timestamp_millis(1_700_000_000_000).unwrap();
/// More than all reservations together that plans which failed have left.
const ALL: u32 = 100_000;

struct Shop<'a> {
    on: &'a Fixture,
    model: Model,
    products: Vec<ProductId>,
    orders: Vec<OrderId>,
    /// The ids of the events that were published.
    events: Vec<EventId>,
}

/// Follows a plan; answers how many commands it was.
pub(crate) async fn follow(on: &Fixture, plan: Plan) -> usize {
    let pending = on.outbox.state(START).await.unwrap().pending;
    let mut products = Vec::new();
    for stock_quantity in plan.initial {
        let new = NewProduct { stock_quantity, ..mug() };
        products.push(on.stores.catalogue.create(&new, START, &|_| Effects::none()).await.unwrap().id);
    }
    let orders = (0..ORDERS).map(|_| OrderId::generate(START)).collect();
    let model = Model { initial: plan.initial, ..Model::default() };
    let mut shop = Shop { on, model, products, orders, events: Vec::new() };
    for command in &plan.commands {
        shop.obey(*command).await;
        shop.compare().await;
    }
    // In the end every order is cancelled: all pieces are back.
    for order in 0..ORDERS {
        shop.obey(Command::Publish(order, Told::Cancelled)).await;
        shop.obey(Command::Deliver(shop.events.len() - 1)).await;
    }
    shop.compare().await;
    for product in 0..PRODUCTS {
        let pieces = shop.model.pieces(product);
        assert_eq!((pieces.reserved, pieces.sold), (0, 0));
    }
    let told = on.outbox.state(START).await.unwrap().pending - pending;
    assert_eq!(told, shop.model.told, "what moved pieces is told once");
    plan.commands.len()
}

impl Shop<'_> {
    async fn obey(&mut self, command: Command) {
        match command {
            Command::Reserve(order, lines, ttl) => self.reserve(order, lines, ttl).await,
            Command::Release(order) => {
                self.model.release(order);
                self.settle(order, None, |status| on_released(status).unwrap_or(Step::Keep)).await.unwrap();
            }
            Command::Publish(order, told) => {
                self.model.published.push((order, told));
                self.events.push(EventId::generate(START));
            }
            Command::Deliver(_) if self.events.is_empty() => {}
            Command::Deliver(index) => self.deliver(index % self.events.len()).await,
            Command::Pass(seconds) => self.model.now += seconds,
            Command::Expire(fates) => self.expire(fates).await,
            Command::Adjust(product, by) => {
                let id = self.products[product];
                let adjusted = self.on.stores.stock.adjust(id, by, self.now(), &|_: &Product| told(id)).await.unwrap();
                let left = self.model.pieces(product).available;
                if self.model.adjust(product, by) {
                    assert!(
                        matches!(&adjusted, Adjusted::Done(one) if one.stock_quantity == left + by),
                        "{adjusted:?}"
                    );
                } else {
                    assert_eq!(adjusted, Adjusted::Short(left));
                }
            }
        }
    }

    async fn reserve(&mut self, order: usize, wanted: [i64; PRODUCTS], ttl: i64) {
        let new = NewReservation {
            order_id: self.orders[order],
            lines: self.lines(wanted),
            expires_at: self.now() + TimeDelta::seconds(ttl),
        };
        let existing = self.model.orders.contains_key(&order);
        let effects = told(self.products[0]);
        let reserved = self.on.stores.stock.reserve(&new, self.now(), &effects).await.unwrap();
        match (self.model.reserve(order, wanted, ttl), existing) {
            (true, _) => assert!(matches!(&reserved, Reserved::New(one) if one.items == new.lines), "{reserved:?}"),
            (false, true) => assert!(matches!(reserved, Reserved::Existing(_)), "{reserved:?}"),
            (false, false) => assert!(matches!(reserved, Reserved::Short(_)), "{reserved:?}"),
        }
    }

    async fn deliver(&mut self, event: usize) {
        let handled = Handled { consumer: "model", event_id: self.events[event] };
        let (order, told) = self.model.published[event];
        let rule = match told {
            Told::Confirmed => on_confirmed,
            Told::Cancelled => on_cancelled,
        };
        let outcome = self.settle(order, Some(handled), rule).await;
        if self.model.deliver(event) {
            outcome.unwrap();
        } else {
            assert!(matches!(outcome, Err(StoreError::AlreadyHandled)), "{outcome:?}");
        }
    }

    async fn expire(&mut self, fates: [Fate; ORDERS]) {
        let stock = &self.on.stores.stock;
        let due: Vec<_> = stock.due(self.now(), ALL).await.unwrap().into_iter().map(|(order, _)| order).collect();
        let expected = self.model.due();
        let ours: Vec<_> = (0..ORDERS).filter(|order| due.contains(&self.orders[*order])).collect();
        assert_eq!(ours, expected, "what ran out");
        for order in expected {
            self.model.expire(order, fates[order]);
            let answer = match fates[order] {
                Fate::Never => Abandoned { exists: false, status: None },
                Fate::Stands => Abandoned { exists: true, status: Some(OrderStatus::Pending) },
                Fate::Cancelled => Abandoned { exists: true, status: Some(OrderStatus::Cancelled) },
                Fate::Unanswered => {
                    let until = self.now() + TimeDelta::seconds(5);
                    self.on.stores.stock.put_off(self.orders[order], until).await.unwrap();
                    continue;
                }
            };
            self.settle(order, None, |status| on_abandoned(status, &answer)).await.unwrap();
        }
    }

    /// Takes the step that the status leads to, and tells of what moves pieces.
    async fn settle(
        &self,
        order: usize,
        handled: Option<Handled>,
        rule: impl Fn(Option<ReservationStatus>) -> Step + Send + Sync,
    ) -> Result<Option<Reservation>, StoreError> {
        let decide = |before: Option<&Reservation>| {
            let step = rule(before.map(|reservation| reservation.status));
            let moves = matches!(step, Step::Commit | Step::Release | Step::Restock);
            let effects = if moves { told(self.products[0]) } else { Effects::none() };
            (step, Effects { handled, ..effects })
        };
        self.on.stores.stock.change(self.orders[order], self.now(), &decide).await
    }

    async fn compare(&self) {
        let stock = &self.on.stores.stock;
        let before = ProductId::new(self.products[0].get() - 1);
        let audited = stock.audit(Some(before), PRODUCTS.try_into().unwrap()).await.unwrap();
        assert_eq!(audited.iter().map(|row| row.id).collect::<Vec<_>>(), self.products);
        for (product, row) in audited.iter().enumerate() {
            let pieces = pieces(row);
            assert_eq!(pieces, self.model.pieces(product), "product {product}");
            assert!([row.available, row.reserved, row.sold].iter().all(|count| *count >= 0), "{row:?}");
            assert_eq!(row.initial + row.adjustments, row.available + row.reserved + row.sold);
            let shown = self.on.stores.catalogue.find(row.id).await.unwrap().unwrap();
            assert_eq!(shown.stock_quantity, row.available);
        }
        for (order, id) in self.orders.iter().enumerate() {
            let stored = stock.reservation(*id).await.unwrap().map(|one| (one.status, one.items));
            let expected = self.model.orders.get(&order).map(|one| (status(one.status), self.lines(one.lines)));
            assert_eq!(stored, expected, "order {order}");
        }
    }

    fn now(&self) -> DateTime<Utc> {
        START + TimeDelta::seconds(self.model.now)
    }

    fn lines(&self, pieces: [i64; PRODUCTS]) -> Vec<ReservationLine> {
        let lines = self.products.iter().zip(pieces).filter(|(_, quantity)| *quantity > 0);
        lines.map(|(product_id, quantity)| ReservationLine { product_id: *product_id, quantity }).collect()
    }
}

fn pieces(row: &ProductAudit) -> Pieces {
    Pieces {
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
        Status::Sold => ReservationStatus::Committed,
        Status::Gone => ReservationStatus::Released,
    }
}

/// Some event.
fn told(product: ProductId) -> Effects {
    Effects::of(START, Event::StockUpdated(StockUpdated { product_id: product, change: 1, stock_quantity: 1 }))
}

fn mug() -> NewProduct {
    NewProduct {
        name: "Mug".to_owned(),
        description: "A good one".to_owned(),
        price: Money::from_cents(999),
        category: "Kitchen".to_owned(),
        stock_quantity: 0,
        brand: None,
        sku: None,
    }
}
