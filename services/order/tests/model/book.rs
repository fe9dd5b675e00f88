//! A plan is followed by store and model alike, and after each command they are compared.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use common::cache::{Cache, CacheUrl};
use common::clock::{Clock as _, ManualClock};
use common::effects::Handled;
use common::metrics::Metrics;
use common::store::StoreError;
use contracts::calls::{PaymentMethod, RefundCause};
use contracts::event::{PaymentChanged, PaymentRefundFailed, PaymentRefunded};
use contracts::{EventId, ItemId, Money, OrderId, PaymentId, ProductId, RefundId, UserId};
use order_service::NAME;
use order_service::domain::{
    Actor, Address, Change, CustomerInfo, Draft, Item, MAX_PROCESSING_WAIT, Order, OrderNumber, Payment, Placed,
    Snapshot, UnpaidLimits,
};
use order_service::store::{ID_TAKEN, OrderBook};

use super::Fixture;
use super::money::{Told, What, told};
use super::orders::Model;
use super::plan::{Command, ORDERS, PAYMENTS, Plan};

const START: DateTime<Utc> = DateTime::from_timestamp_millis(1_700_000_000_000).unwrap();
/// More than all orders together that plans which failed have left.
const ALL: u32 = 100_000;

/// An order of a plan, placed or not.
struct One {
    placed: Placed,
    payments: [PaymentId; PAYMENTS],
    refunds: Vec<RefundId>,
    /// What is told of its payments, each by an event of its own.
    told: Vec<(EventId, Told)>,
    handled: BTreeSet<usize>,
    model: Option<Model>,
    abandoned: bool,
}

struct Shop<'a> {
    on: &'a Fixture,
    book: OrderBook,
    clock: ManualClock,
    orders: Vec<One>,
}

/// Follows a plan; answers how many commands it was.
pub(crate) async fn follow(on: &Fixture, plan: Plan) -> usize {
    let pending = on.outbox.state(START).await.unwrap().pending;
    let (clock, metrics) = (ManualClock::at(START), Metrics::new());
    let cache = Cache::connect(&CacheUrl::Memory, NAME, &metrics);
    let book = OrderBook::new(on.store.clone(), cache, clock.shared(), &metrics);
    // Each order has a second one with the same payments, whose events come in another order.
    let orders = plan.lives.iter().chain(&plan.lives).map(|lives| {
        let placed = placed();
        let told = told(lives, placed.order.totals.total.cents());
        One {
            payments: std::array::from_fn(|_| PaymentId::generate(START)),
            refunds: (0..10).map(|_| RefundId::generate(START)).collect(),
            told: told.into_iter().map(|told| (EventId::generate(START), told)).collect(),
            handled: BTreeSet::new(),
            model: None,
            abandoned: false,
            placed,
        }
    });
    let orders = orders.collect();
    let mut shop = Shop { on, book, clock, orders };
    for command in &plan.commands {
        shop.obey(*command).await;
        shop.compare().await;
    }
    for order in 0..2 * ORDERS {
        shop.obey(Command::Place(order)).await;
        let keys = &plan.arrivals[order / ORDERS];
        let mut arrival: Vec<_> = (0..shop.orders[order].told.len()).collect();
        arrival.sort_by_key(|index| keys[*index]);
        for index in arrival {
            shop.deliver(order, index).await;
        }
    }
    shop.compare().await;
    for order in 0..ORDERS {
        shop.compare_with_twin(order).await;
    }
    for order in 0..2 * ORDERS {
        shop.obey(Command::Cancel(order, false)).await;
    }
    shop.compare().await;
    let told: u64 = shop.orders.iter().filter_map(|one| one.model.as_ref()).map(|model| model.told).sum();
    let written = on.outbox.state(START).await.unwrap().pending - pending;
    assert_eq!(written, told, "what happened to an order is told once");
    plan.commands.len()
}

impl Shop<'_> {
    async fn obey(&mut self, command: Command) {
        match command {
            Command::Place(order) => self.place(order).await,
            Command::Abandon(order) => {
                let one = &mut self.orders[order];
                let known = self.book.store().abandon(one.placed.order.id, self.clock.now()).await.unwrap();
                assert_eq!(known, one.model.as_ref().map(|model| model.status));
                one.abandoned |= one.model.is_none();
            }
            Command::Cancel(order, by_owner) => {
                let by = if by_owner { Actor::Owner } else { Actor::Shop };
                let one = &mut self.orders[order];
                let outcome = self.book.change(one.placed.order.id, |order, now| order.cancel(by, None, now)).await;
                let done = one.model.as_mut().is_some_and(|model| model.cancel(by_owner));
                assert_eq!(outcome.is_ok(), done, "{outcome:?}");
            }
            Command::Update(order, to) => {
                let change = Change { status: Some(to), ..Change::default() };
                let one = &mut self.orders[order];
                let rule = |order: &mut Order, now| order.update(Actor::Shop, change, now);
                let outcome = self.book.change(one.placed.order.id, rule).await;
                let done = one.model.as_mut().is_some_and(|model| model.update(to));
                assert_eq!(outcome.is_ok(), done, "{outcome:?}");
            }
            Command::Deliver(index) => {
                let all = (0..ORDERS).flat_map(|one| (0..self.orders[one].told.len()).map(move |event| (one, event)));
                let all: Vec<_> = all.collect();
                let (order, event) = all[index % all.len()];
                self.deliver(order, event).await;
            }
            Command::Pass(seconds) => self.clock.advance(TimeDelta::seconds(seconds)),
            Command::Deadline(seconds) => self.expire(seconds).await,
        }
    }

    async fn place(&mut self, order: usize) {
        let second = self.second();
        let (now, one) = (self.clock.now(), &mut self.orders[order]);
        one.placed.order.created_at = now;
        one.placed.order.updated_at = now;
        let outcome = self.book.place(&one.placed, UnpaidLimits::NONE, None).await;
        if one.model.is_some() || one.abandoned {
            assert_eq!(outcome.unwrap_err().unique(), Some(ID_TAKEN));
        } else {
            outcome.unwrap().unwrap();
            one.model = Some(Model::placed(one.placed.order.totals.total.cents(), second));
        }
    }

    async fn deliver(&mut self, order: usize, event: usize) {
        let one = &mut self.orders[order];
        let (event_id, told) = one.told[event];
        let heard = (Handled { consumer: "model", event_id }, None);
        let id = one.placed.order.id;
        let outcome = match told.what {
            What::Changed { .. } => {
                let changed = one.changed(told);
                self.book.handle(id, heard, |order, now| order.hear(&changed, now)).await
            }
            What::Refunded { .. } => {
                let refunded = one.refunded(told);
                let rule = |order: &mut Order, now| {
                    order.hear_refund(&refunded, now);
                    Vec::new()
                };
                self.book.handle(id, heard, rule).await
            }
            What::RefundFailed { .. } => {
                let failed = one.refund_failed(told);
                let rule = |order: &mut Order, now| {
                    order.hear_refund_failure(&failed, now);
                    Vec::new()
                };
                self.book.handle(id, heard, rule).await
            }
        };
        let Some(model) = &mut one.model else {
            assert!(matches!(outcome, Ok(false)), "{outcome:?}");
            return;
        };
        if one.handled.insert(event) {
            assert!(matches!(outcome, Ok(true)), "{outcome:?}");
            model.hear(told);
        } else {
            assert!(matches!(outcome, Err(StoreError::AlreadyHandled)), "{outcome:?}");
        }
    }

    async fn expire(&mut self, seconds: i64) {
        let (deadline, now) = (TimeDelta::seconds(seconds), self.clock.now());
        let (waiting, processing) = (now - deadline, now - deadline.max(MAX_PROCESSING_WAIT));
        let (oldest, oldest_processing) = (self.second() - seconds, self.second() - MAX_PROCESSING_WAIT.num_seconds());
        let unpaid = self.book.store().unpaid(waiting, processing, ALL).await.unwrap();
        for one in &mut self.orders {
            let id = one.placed.order.id;
            let due = one.model.as_ref().is_some_and(|model| model.is_unpaid(oldest, oldest_processing));
            assert_eq!(unpaid.contains(&id), due, "what nobody paid");
            if let Some(model) = &mut one.model {
                self.book.change(id, |order, now| Ok(order.expire(deadline, now))).await.unwrap();
                if due {
                    model.turn(contracts::calls::OrderStatus::Cancelled);
                }
            }
        }
    }

    async fn compare(&self) {
        for one in &self.orders {
            let id = one.placed.order.id;
            let stored = self.on.store.find(id).await.unwrap();
            assert_eq!(self.book.find(id).await.unwrap(), stored, "what is kept is what is stored");
            let shown = stored.map(|order| (order.status, order.captured().cents(), money(&order)));
            let expected = one.model.as_ref().map(|model| {
                let money = (model.payment_status(), model.captured(), model.refunded());
                (model.status, model.counted(), money)
            });
            assert_eq!(shown, expected);
        }
    }

    /// However the same events came, they came to the same.
    async fn compare_with_twin(&self, order: usize) {
        let [one, twin] = [order, order + ORDERS].map(|order| &self.orders[order]);
        if one.abandoned {
            return;
        }
        let (one, twin) = (self.stored(one).await, self.stored(twin).await);
        assert_eq!(money(&one), money(&twin));
        let payments = |order: &Order| {
            let payment = |one: &Payment| (one.status(), one.captured, one.refunded_total, one.refunds.len());
            order.payments.iter().map(payment).collect::<Vec<_>>()
        };
        assert_eq!(payments(&one), payments(&twin));
    }

    async fn stored(&self, one: &One) -> Order {
        self.on.store.find(one.placed.order.id).await.unwrap().unwrap()
    }

    /// The seconds that have passed.
    fn second(&self) -> i64 {
        (self.clock.now() - START).num_seconds()
    }
}

/// Payment status, what was captured, and what went back.
fn money(order: &Order) -> (contracts::calls::OrderPaymentStatus, i64, i64) {
    let captured: Money = order.payments.iter().filter_map(|payment| payment.captured).sum();
    let refunded: Money = order.payments.iter().map(|payment| payment.refunded_total).sum();
    (order.payment_status(), captured.cents(), refunded.cents())
}

impl One {
    fn changed(&self, told: Told) -> PaymentChanged {
        let What::Changed { version, status } = told.what else { panic!("{told:?} is no change") };
        PaymentChanged {
            payment_id: self.payments[told.payment],
            order_id: self.placed.order.id,
            user_id: self.placed.order.user_id,
            amount: Money::from_cents(told.amount),
            currency: "USD".to_owned(),
            method: PaymentMethod::Card,
            status,
            version,
            counts: told.counts,
            failure_reason: None,
            created_at: START + TimeDelta::seconds(i64::try_from(told.payment).unwrap()),
            timestamp: START,
        }
    }

    fn refunded(&self, told: Told) -> PaymentRefunded {
        let What::Refunded { number, amount, total, version } = told.what else { panic!("{told:?} is no refund") };
        PaymentRefunded {
            payment_id: self.payments[told.payment],
            refund_id: self.refunds[told.payment * 5 + number],
            order_id: self.placed.order.id,
            user_id: self.placed.order.user_id,
            amount: Money::from_cents(told.amount),
            refund_amount: Money::from_cents(amount),
            refunded_total: Money::from_cents(total),
            version,
            cause: RefundCause::Granted,
            reason: None,
            outside: false,
            timestamp: START,
        }
    }

    fn refund_failed(&self, told: Told) -> PaymentRefundFailed {
        let What::RefundFailed { number, amount, total, version } = told.what else {
            panic!("{told:?} is no failed refund")
        };
        PaymentRefundFailed {
            payment_id: self.payments[told.payment],
            refund_id: self.refunds[told.payment * 5 + number],
            order_id: self.placed.order.id,
            user_id: self.placed.order.user_id,
            amount: Money::from_cents(amount),
            refunded_total: Money::from_cents(total),
            version,
            reason: None,
            needs_attention: false,
            timestamp: START,
        }
    }
}

fn placed() -> Placed {
    let address = Address {
        street: "Main Street 1".to_owned(),
        city: "Springfield".to_owned(),
        state: "IL".to_owned(),
        postal_code: "62701".to_owned(),
        country: "US".to_owned(),
        apartment: None,
    };
    let customer_info = CustomerInfo {
        first_name: "Ada".to_owned(),
        last_name: "Byron".to_owned(),
        email: "ada@example.com".to_owned(),
        phone: None,
    };
    let item = Item {
        id: ItemId::generate(START),
        product_id: ProductId::new(7),
        product_name: "Mug".to_owned(),
        product_sku: None,
        unit_price: Money::from_cents(1_234),
        quantity: 2,
        total_price: Money::from_cents(2_468),
    };
    let draft = Draft {
        user_id: UserId::generate(START),
        lines: Vec::new(),
        customer_info,
        shipping_address: address,
        billing_address: None,
        notes: None,
        metadata: None,
        expected_total: None,
    };
    let id = OrderId::generate(START);
    let number = OrderNumber::new(START, u64::from_be_bytes(id.as_uuid().as_bytes()[8..].try_into().unwrap()));
    let order = Order::new((id, number), draft, vec![item], "USD".to_owned(), START).unwrap();
    let snapshots = vec![Snapshot { description: "Nice".to_owned(), product: "{}".to_owned() }];
    Placed { order, snapshots, placed_by: "ada".to_owned(), idempotency_key: None }
}
