//! Execution of a plan on the repository and the model, which are compared after each command.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use common::cache::{Cache, CacheUrl};
use common::database::store::StoreError;
use common::database::transaction_effects::InboxRecord;
use common::telemetry::clock::{Clock as _, ManualClock};
use common::telemetry::metrics::Metrics;
use contracts::api::{PaymentMethod, RefundCause};
use contracts::event::{PaymentChanged, PaymentRefundFailed, PaymentRefunded};
use contracts::{Actor, EventId, Money, PaymentId, RefundId};
use order_service::NAME;
use order_service::domain::{MAX_PROCESSING_WAIT, NewOrder, Order, OrderUpdate, PaymentProjection, Role, UnpaidLimits};
use order_service::repository::CONSTRAINT_ORDER_ID;
use order_service::service::{ConsumedMessage, OrderService};

use super::orders_model::OrderModel;
use super::payment_events::{EventKind, PaymentEvent, payment_events};
use super::plan::{Command, ORDERS, PAYMENTS, Plan};
use crate::fixture::{Fixture, START, new_order_at};

/// Limit above the number of all orders, including those that failed plans left behind.
const ALL: u32 = 100_000;

/// Order of a plan, placed or not.
struct PlannedOrder {
    new_order: NewOrder,
    payments: [PaymentId; PAYMENTS],
    refunds: Vec<RefundId>,
    /// Events of the order's payments.
    events: Vec<(EventId, PaymentEvent)>,
    handled: BTreeSet<usize>,
    model: Option<OrderModel>,
    abandoned: bool,
}

struct Runner<'a> {
    fixture: &'a Fixture,
    service: OrderService,
    clock: ManualClock,
    orders: Vec<PlannedOrder>,
}

/// Executes a plan. Returns the number of its commands.
pub(crate) async fn run(fixture: &Fixture, plan: Plan) -> usize {
    let pending = fixture.outbox.state(START).await.unwrap().pending;
    let (clock, metrics) = (ManualClock::at(START), Metrics::new());
    let cache = Cache::connect(&CacheUrl::Memory, NAME, &metrics);
    let service = OrderService::new(fixture.repository.clone(), cache, clock.shared(), &metrics);
    // Each order has a twin with the same payments, whose events arrive in another order.
    let orders = plan.courses.iter().chain(&plan.courses).map(|courses| {
        let new_order = new_order_at(0);
        let events = payment_events(courses, new_order.order.totals.total.cents());
        PlannedOrder {
            payments: std::array::from_fn(|_| PaymentId::generate(START)),
            refunds: (0..10).map(|_| RefundId::generate(START)).collect(),
            events: events.into_iter().map(|event| (EventId::generate(START), event)).collect(),
            handled: BTreeSet::new(),
            model: None,
            abandoned: false,
            new_order,
        }
    });
    let orders = orders.collect();
    let mut runner = Runner { fixture, service, clock, orders };
    for command in &plan.commands {
        runner.execute(*command).await;
        runner.compare().await;
    }
    for order in 0..2 * ORDERS {
        runner.execute(Command::Place(order)).await;
        let keys = &plan.arrivals[order / ORDERS];
        let mut arrival: Vec<_> = (0..runner.orders[order].events.len()).collect();
        arrival.sort_by_key(|index| keys[*index]);
        for index in arrival {
            runner.deliver(order, index).await;
        }
    }
    runner.compare().await;
    for order in 0..ORDERS {
        runner.compare_with_twin(order).await;
    }
    for order in 0..2 * ORDERS {
        runner.execute(Command::Cancel(order, false)).await;
    }
    runner.compare().await;
    let published: u64 = runner.orders.iter().filter_map(|one| one.model.as_ref()).map(|model| model.published).sum();
    let written = fixture.outbox.state(START).await.unwrap().pending - pending;
    assert_eq!(written, published, "each change of an order is published once");
    plan.commands.len()
}

impl Runner<'_> {
    async fn execute(&mut self, command: Command) {
        match command {
            Command::Place(order) => self.place(order).await,
            Command::Abandon(order) => {
                let one = &mut self.orders[order];
                let known =
                    self.service.repository().insert_tombstone(one.new_order.order.id, self.clock.now()).await.unwrap();
                assert_eq!(known, one.model.as_ref().map(|model| model.status));
                one.abandoned |= one.model.is_none();
            }
            Command::Cancel(order, by_customer) => {
                let by = if by_customer { Role::Customer } else { Role::Admin };
                let one = &mut self.orders[order];
                let outcome = self
                    .service
                    .update(one.new_order.order.id, &Actor::System, |order, now| order.cancel(by, None, now))
                    .await;
                let done = one.model.as_mut().is_some_and(|model| model.cancel(by_customer));
                assert_eq!(outcome.is_ok(), done, "{outcome:?}");
            }
            Command::Update(order, to) => {
                let change = OrderUpdate { status: Some(to), ..OrderUpdate::default() };
                let one = &mut self.orders[order];
                let rule = |order: &mut Order, now| order.update(Role::Admin, change, now);
                let outcome = self.service.update(one.new_order.order.id, &Actor::System, rule).await;
                let done = one.model.as_mut().is_some_and(|model| model.update(to));
                assert_eq!(outcome.is_ok(), done, "{outcome:?}");
            }
            Command::Deliver(index) => {
                let all = (0..ORDERS).flat_map(|one| (0..self.orders[one].events.len()).map(move |event| (one, event)));
                let all: Vec<_> = all.collect();
                let (order, event) = all[index % all.len()];
                self.deliver(order, event).await;
            }
            Command::Advance(seconds) => self.clock.advance(TimeDelta::seconds(seconds)),
            Command::Deadline(seconds) => self.cancel_if_overdue(seconds).await,
        }
    }

    async fn place(&mut self, order: usize) {
        let second = self.second();
        let (now, one) = (self.clock.now(), &mut self.orders[order]);
        one.new_order.order.created_at = now;
        one.new_order.order.updated_at = now;
        let outcome = self.service.insert(&one.new_order, UnpaidLimits::NONE, None).await;
        if one.model.is_some() || one.abandoned {
            assert_eq!(outcome.unwrap_err().unique(), Some(CONSTRAINT_ORDER_ID));
        } else {
            outcome.unwrap().unwrap();
            one.model = Some(OrderModel::placed(one.new_order.order.totals.total.cents(), second));
        }
    }

    async fn deliver(&mut self, order: usize, event: usize) {
        let one = &mut self.orders[order];
        let (event_id, payment_event) = one.events[event];
        let inbox = InboxRecord { consumer: "model", event_id };
        let message = ConsumedMessage { inbox, entry: None };
        let id = one.new_order.order.id;
        let outcome = match payment_event.kind {
            EventKind::Changed { .. } => {
                let changed = one.changed(payment_event);
                self.service.consume(id, message, |order, now| order.apply_payment_event(&changed, now)).await
            }
            EventKind::Refunded { .. } => {
                let refunded = one.refunded(payment_event);
                let rule = |order: &mut Order, now| order.apply_refund_event(&refunded, now);
                self.service.consume(id, message, rule).await
            }
            EventKind::RefundFailed { .. } => {
                let failed = one.refund_failed(payment_event);
                let rule = |order: &mut Order, now| order.apply_refund_failure_event(&failed, now);
                self.service.consume(id, message, rule).await
            }
        };
        let Some(model) = &mut one.model else {
            assert!(matches!(outcome, Ok(false)), "{outcome:?}");
            return;
        };
        if one.handled.insert(event) {
            assert!(matches!(outcome, Ok(true)), "{outcome:?}");
            model.apply(payment_event);
        } else {
            assert!(matches!(outcome, Err(StoreError::AlreadyHandled)), "{outcome:?}");
        }
    }

    async fn cancel_if_overdue(&mut self, seconds: i64) {
        let (deadline, now) = (TimeDelta::seconds(seconds), self.clock.now());
        let (waiting, processing) = (now - deadline, now - deadline.max(MAX_PROCESSING_WAIT));
        let (oldest, oldest_processing) = (self.second() - seconds, self.second() - MAX_PROCESSING_WAIT.num_seconds());
        let unpaid = self.service.repository().list_unpaid_before(waiting, processing, ALL).await.unwrap();
        for one in &mut self.orders {
            let id = one.new_order.order.id;
            let due = one.model.as_ref().is_some_and(|model| model.is_unpaid(oldest, oldest_processing));
            assert_eq!(unpaid.contains(&id), due, "unpaid orders");
            if let Some(model) = &mut one.model {
                let rule = |order: &mut Order, now| Ok(order.cancel_if_overdue(deadline, now));
                self.service.update(id, &Actor::System, rule).await.unwrap();
                if due {
                    model.transition_to(contracts::api::OrderStatus::Cancelled);
                }
            }
        }
    }

    async fn compare(&self) {
        for one in &self.orders {
            let id = one.new_order.order.id;
            let stored = self.fixture.repository.find(id).await.unwrap();
            assert_eq!(self.service.find(id).await.unwrap(), stored, "the cached order equals the stored one");
            let actual = stored.map(|order| (order.status, order.captured_amount().cents(), money(&order)));
            let expected = one.model.as_ref().map(|model| {
                let money = (model.payment_status(), model.captured(), model.refunded());
                (model.status, model.counted(), money)
            });
            assert_eq!(actual, expected);
        }
    }

    /// Compares the order with its twin: the same events lead to the same state in every order of arrival.
    async fn compare_with_twin(&self, order: usize) {
        let [one, twin] = [order, order + ORDERS].map(|order| &self.orders[order]);
        if one.abandoned {
            return;
        }
        let (one, twin) = (self.stored(one).await, self.stored(twin).await);
        assert_eq!(money(&one), money(&twin));
        let payments = |order: &Order| {
            let payment = |one: &PaymentProjection| (one.status(), one.captured, one.refunded_total, one.refunds.len());
            order.payments.iter().map(payment).collect::<Vec<_>>()
        };
        assert_eq!(payments(&one), payments(&twin));
    }

    async fn stored(&self, one: &PlannedOrder) -> Order {
        self.fixture.repository.find(one.new_order.order.id).await.unwrap().unwrap()
    }

    /// Returns the seconds since the start.
    fn second(&self) -> i64 {
        (self.clock.now() - START).num_seconds()
    }
}

/// Returns the payment status, the captured and the refunded amount.
fn money(order: &Order) -> (contracts::api::OrderPaymentStatus, i64, i64) {
    let captured: Money = order.payments.iter().filter_map(|payment| payment.captured).sum();
    let refunded: Money = order.payments.iter().map(|payment| payment.refunded_total).sum();
    (order.payment_status(), captured.cents(), refunded.cents())
}

impl PlannedOrder {
    fn changed(&self, event: PaymentEvent) -> PaymentChanged {
        let EventKind::Changed { version, status } = event.kind else { panic!("not a change: {event:?}") };
        PaymentChanged {
            payment_id: self.payments[event.payment],
            order_id: self.new_order.order.id,
            user_id: self.new_order.order.user_id,
            amount: Money::from_cents(event.amount),
            currency: "USD".to_owned(),
            method: PaymentMethod::Card,
            status,
            version,
            counts: event.counts,
            failure_reason: None,
            actor: Actor::System,
            created_at: START + TimeDelta::seconds(i64::try_from(event.payment).unwrap()),
            timestamp: START,
        }
    }

    fn refunded(&self, event: PaymentEvent) -> PaymentRefunded {
        let EventKind::Refunded { number, amount, total, version } = event.kind else {
            panic!("not a refund: {event:?}")
        };
        PaymentRefunded {
            payment_id: self.payments[event.payment],
            refund_id: self.refunds[event.payment * 5 + number],
            order_id: self.new_order.order.id,
            user_id: self.new_order.order.user_id,
            amount: Money::from_cents(event.amount),
            refund_amount: Money::from_cents(amount),
            refunded_total: Money::from_cents(total),
            version,
            cause: RefundCause::Granted,
            reason: None,
            outside: false,
            actor: Actor::System,
            timestamp: START,
        }
    }

    fn refund_failed(&self, event: PaymentEvent) -> PaymentRefundFailed {
        let EventKind::RefundFailed { number, amount, total, version } = event.kind else {
            panic!("not a failed refund: {event:?}")
        };
        PaymentRefundFailed {
            payment_id: self.payments[event.payment],
            refund_id: self.refunds[event.payment * 5 + number],
            order_id: self.new_order.order.id,
            user_id: self.new_order.order.user_id,
            amount: Money::from_cents(amount),
            refunded_total: Money::from_cents(total),
            version,
            reason: None,
            needs_attention: false,
            timestamp: START,
        }
    }
}
