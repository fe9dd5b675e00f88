//! The suite that every store of orders passes.

#![expect(clippy::unwrap_used, reason = "what a test needs and does not find ends it")]

use std::num::NonZeroU32;
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use common::effects::{Effects, Handled};
use common::outbox::Outbox;
use common::postgres::{Postgres, PostgresUrl};
use common::sqlite::Sqlite;
use common::store::StoreError;
use contracts::calls::{OrderStatus, PaymentMethod, PaymentStatus, RefundCause};
use contracts::{EventId, ItemId, Money, OrderId, PaymentId, ProductId, RefundId, UserId};
use order_service::NAME;
use order_service::domain::*;
use order_service::store::postgres::{self, PostgresOrders};
use order_service::store::sqlite::{self, SqliteOrders};
use order_service::store::{Filter, ID_TAKEN, NUMBER_TAKEN, Orders};
use order_service::timeline::{Entry, Written};
use racing::*;

mod racing;

const START: DateTime<Utc> = DateTime::from_timestamp_millis(1_700_000_000_000).unwrap();

/// Orders with nothing in them, in a store that can be opened again.
struct Fixture {
    store: Arc<dyn Orders>,
    outbox: Outbox,
    again: Again,
}

enum Again {
    Sqlite(Sqlite, tempfile::TempDir),
    Postgres(Postgres, PostgresUrl),
}

impl Fixture {
    async fn sqlite() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        Some(Self::in_directory(directory).await)
    }

    async fn in_directory(directory: tempfile::TempDir) -> Self {
        let path = directory.path().join("orders.db");
        let db = Sqlite::open(&path, NAME, &sqlite::MIGRATIONS).await.unwrap();
        let (store, outbox) = (Arc::new(SqliteOrders::new(db.clone())), db.outbox());
        Self { store, outbox, again: Again::Sqlite(db, directory) }
    }

    async fn postgres() -> Option<Self> {
        let url = testkit::servers::postgres().await?.database().await.parse().unwrap();
        Some(Self::at(url).await)
    }

    async fn at(url: PostgresUrl) -> Self {
        let db = Postgres::open(&url, NAME, &postgres::MIGRATIONS).await.unwrap();
        let (store, outbox) = (Arc::new(PostgresOrders::new(db.clone())), db.outbox());
        Self { store, outbox, again: Again::Postgres(db, url) }
    }

    /// The same store, as a process that starts on it finds it.
    async fn opened_again(self) -> Self {
        match self.again {
            Again::Sqlite(db, directory) => {
                db.close().await;
                Self::in_directory(directory).await
            }
            Again::Postgres(db, url) => {
                db.close().await;
                Self::at(url).await
            }
        }
    }

    async fn pending(&self) -> u64 {
        self.outbox.state(at(0)).await.unwrap().pending
    }
}

/// Each test of the suite on each store.
macro_rules! suite {
    ($($name:ident),* $(,)?) => {
        mod sqlite_store {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    super::$name(super::Fixture::sqlite().await.unwrap()).await;
                }
            )*
        }
        mod postgres_store {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    let Some(fixture) = super::Fixture::postgres().await else { return };
                    super::$name(fixture).await;
                }
            )*
        }
    };
}

suite!(
    an_order_is_read_as_it_was_written,
    what_is_not_known_is_none,
    changes_are_read_as_they_were_written,
    a_number_is_taken_once,
    an_id_is_taken_once,
    an_abandoned_id_never_becomes_an_order,
    an_order_that_exists_cannot_be_abandoned,
    nothing_is_written_where_nothing_is_decided,
    effects_are_written_with_the_change,
    a_message_has_its_effect_once,
    changes_of_an_order_follow_each_other,
    pages_are_newest_first_and_do_not_overlap,
    unpaid_orders_are_those_that_wait_for_money,
    processing_payment_extends_the_wait,
    unpaid_orders_of_a_person_are_counted_with_their_pieces,
    order_beyond_a_limit_is_rejected_and_leaves_nothing,
    deleted_account_places_no_orders_and_its_unpaid_ones_are_listed,
    orders_of_a_person_at_once_never_exceed_a_limit,
    orders_at_once_never_follow_the_deletion_of_the_account,
    a_store_that_is_opened_again_knows_the_same,
    what_happened_is_kept_in_order,
    what_happened_before_its_order_is_kept_too,
    an_audit_has_every_order_once_by_id,
    of_an_order_and_its_tombstone_one_wins,
    of_orders_with_one_id_one_wins,
    of_orders_with_one_number_one_wins,
    a_message_that_comes_often_at_once_has_its_effect_once,
    what_is_told_of_an_order_at_once_is_all_kept,
    a_payment_belongs_to_one_order,
    changes_of_many_orders_do_not_hinder_each_other,
);

fn at(second: i64) -> DateTime<Utc> {
    START + Duration::seconds(second)
}

fn placed_at(second: i64) -> Placed {
    let address = |apartment| Address {
        street: "Größenstraße 1".to_owned(),
        city: "Springfield".to_owned(),
        state: "IL".to_owned(),
        postal_code: "62701".to_owned(),
        country: "US".to_owned(),
        apartment,
    };
    let customer_info = CustomerInfo {
        first_name: "Ada".to_owned(),
        last_name: "O'Hara".to_owned(),
        email: "ada@example.com".to_owned(),
        phone: Some("555".to_owned()),
    };
    let item = |id, quantity, sku: Option<&str>| Item {
        id: ItemId::generate(at(second)),
        product_id: ProductId::new(id),
        product_name: format!("Product {id}"),
        product_sku: sku.map(str::to_owned),
        unit_price: Money::from_cents(1_234),
        quantity,
        total_price: Money::from_cents(1_234 * quantity),
    };
    let draft = Draft {
        user_id: UserId::generate(at(second)),
        lines: Vec::new(),
        customer_info,
        shipping_address: address(None),
        billing_address: Some(address(Some("4b".to_owned()))),
        notes: Some("ring\ntwice ✓".to_owned()),
        metadata: Some("{\"a\": 1.0}".to_owned()),
        expected_total: None,
    };
    let id = OrderId::generate(at(second));
    let number = OrderNumber::new(at(second), u64::from_be_bytes(id.as_uuid().as_bytes()[8..].try_into().unwrap()));
    let items = vec![item(7, 2, Some("SKU-7")), item(3, 1, None)];
    let snapshot = Snapshot { description: "Nice".to_owned(), product: "{}".to_owned() };
    let order = Order::new((id, number), draft, items, "USD".to_owned(), at(second)).unwrap();
    Placed {
        order,
        snapshots: vec![snapshot.clone(), snapshot],
        placed_by: "ada".to_owned(),
        idempotency_key: Some("key".to_owned()),
    }
}

fn written(effects: Effects) -> Written {
    Written::of(effects, NAME).unwrap()
}

async fn insert(store: &dyn Orders, placed: &Placed) -> Order {
    store.insert(placed, UnpaidLimits::NONE, &Written::default()).await.unwrap().unwrap();
    placed.order.clone()
}

async fn place(store: &dyn Orders, second: i64) -> Order {
    insert(store, &placed_at(second)).await
}

async fn write(store: &dyn Orders, id: OrderId, mut change: impl FnMut(&mut Order) + Send) -> Option<Order> {
    store
        .change(id, &mut |order| {
            change(order);
            Some(Written::default())
        })
        .await
        .unwrap()
}

fn payment(second: i64, status: PaymentStatus) -> Payment {
    let seen = Seen {
        method: PaymentMethod::GooglePay,
        amount: Money::from_cents(500),
        currency: "USD".to_owned(),
        status,
        version: 3,
        counts: true,
        created_at: at(second),
        processed_at: Some(at(second + 1)),
    };
    Payment { seen: Some(seen), ..Payment::unknown(PaymentId::generate(at(second))) }
}

fn refund(cents: i64) -> Refund {
    let id = RefundId::generate(START);
    Refund { id, amount: Money::from_cents(cents), cause: RefundCause::Doubled, at: START }
}

async fn an_order_is_read_as_it_was_written(fixture: Fixture) {
    let order = place(&*fixture.store, 0).await;
    assert_eq!(fixture.store.find(order.id).await.unwrap().as_ref(), Some(&order));
    assert_eq!(fixture.store.find_by_number(&order.number).await.unwrap().as_ref(), Some(&order));
}

async fn what_is_not_known_is_none(fixture: Fixture) {
    let store = fixture.store;
    let unknown = placed_at(0).order;
    assert_eq!(store.find(unknown.id).await.unwrap(), None);
    assert_eq!(store.find_by_number(&unknown.number).await.unwrap(), None);
    assert_eq!(write(&*store, unknown.id, |_| panic!("there is nothing to decide")).await, None);
    assert_eq!(store.list(Filter::default(), 0, 10).await.unwrap().total, 0);
    assert_eq!(store.oldest_unpaid(false).await.unwrap(), None);
    assert_eq!(store.unpaid_of(unknown.user_id).await.unwrap(), Unpaid::default());
    assert!(store.delete_customer(unknown.user_id, at(0)).await.unwrap().is_empty());
    store.ping().await.unwrap();
}

async fn changes_are_read_as_they_were_written(fixture: Fixture) {
    let store = fixture.store;
    let (order, other) = (place(&*store, 0).await, place(&*store, 0).await);
    let changed = write(&*store, order.id, |order| {
        order.status = OrderStatus::Delivered;
        order.shipping_address.street = "elsewhere".to_owned();
        order.notes = None;
        order.metadata = None;
        order.updated_at = at(1);
        order.shipped_at = Some(at(2));
        order.delivered_at = Some(at(3));
        let mut twice = payment(5, PaymentStatus::Completed);
        twice.captured = Some(Money::from_cents(500));
        twice.refunded_total = Money::from_cents(7);
        twice.refund_version = 5;
        twice.refunds = vec![refund(3), refund(4)];
        let overtaken = Payment { refunds: vec![refund(1)], ..Payment::unknown(PaymentId::generate(at(9))) };
        order.payments = vec![payment(4, PaymentStatus::Failed), twice, overtaken];
    });
    let changed = changed.await.unwrap();
    assert_eq!(changed.payments.len(), 3);
    assert_eq!(store.find(order.id).await.unwrap().as_ref(), Some(&changed));
    let again = write(&*store, order.id, |order| {
        order.payments[1].refunds.push(refund(5));
        order.payments[2].seen = payment(6, PaymentStatus::Completed).seen;
    });
    let again = again.await.unwrap();
    assert_eq!(store.find(order.id).await.unwrap(), Some(again));
    assert_eq!(store.find(other.id).await.unwrap(), Some(other), "another order is left alone");
}

async fn a_number_is_taken_once(fixture: Fixture) {
    let first = place(&*fixture.store, 0).await;
    let mut second = placed_at(0);
    let free = std::mem::replace(&mut second.order.number, first.number);
    let refused = fixture
        .store
        .insert(&second, UnpaidLimits::NONE, &written(Effects::of(at(0), second.order.created_event())))
        .await
        .unwrap_err();
    assert_eq!(refused.unique(), Some(NUMBER_TAKEN));
    assert_eq!(fixture.pending().await, 0);
    second.order.number = free;
    insert(&*fixture.store, &second).await;
}

async fn an_id_is_taken_once(fixture: Fixture) {
    let first = place(&*fixture.store, 0).await;
    let mut second = placed_at(0);
    second.order.id = first.id;
    let refused = fixture.store.insert(&second, UnpaidLimits::NONE, &Written::default()).await.unwrap_err();
    assert_eq!(refused.unique(), Some(ID_TAKEN));
    assert_eq!(fixture.store.find(first.id).await.unwrap(), Some(first));
}

async fn an_abandoned_id_never_becomes_an_order(fixture: Fixture) {
    let (store, late) = (fixture.store.clone(), placed_at(0));
    for _ in 0..2 {
        assert_eq!(store.abandon(late.order.id, at(1)).await.unwrap(), None);
    }
    let refused = store
        .insert(&late, UnpaidLimits::NONE, &written(Effects::of(at(0), late.order.created_event())))
        .await
        .unwrap_err();
    assert_eq!(refused.unique(), Some(ID_TAKEN));
    assert_eq!(store.find(late.order.id).await.unwrap(), None);
    assert_eq!(fixture.pending().await, 0);
}

async fn an_order_that_exists_cannot_be_abandoned(fixture: Fixture) {
    let order = place(&*fixture.store, 0).await;
    assert_eq!(fixture.store.abandon(order.id, at(1)).await.unwrap(), Some(OrderStatus::Pending));
    write(&*fixture.store, order.id, |order| order.status = OrderStatus::Cancelled).await;
    assert_eq!(fixture.store.abandon(order.id, at(1)).await.unwrap(), Some(OrderStatus::Cancelled));
}

async fn nothing_is_written_where_nothing_is_decided(fixture: Fixture) {
    let order = place(&*fixture.store, 0).await;
    let mut refuse = |order: &mut Order| {
        order.status = OrderStatus::Cancelled;
        None
    };
    assert_eq!(fixture.store.change(order.id, &mut refuse).await.unwrap().as_ref(), Some(&order));
    assert_eq!(fixture.store.find(order.id).await.unwrap(), Some(order));
}

async fn effects_are_written_with_the_change(fixture: Fixture) {
    let placed = placed_at(0);
    let effects = Effects::of(at(0), placed.order.created_event());
    fixture.store.insert(&placed, UnpaidLimits::NONE, &written(effects)).await.unwrap().unwrap();
    assert_eq!(fixture.pending().await, 1);
    let mut cancel = |order: &mut Order| {
        let events = order.cancel(Actor::Owner, None, at(1)).unwrap();
        Some(written(events.into_iter().fold(Effects::none(), |effects, event| effects.with(at(1), event))))
    };
    fixture.store.change(placed.order.id, &mut cancel).await.unwrap();
    assert_eq!(fixture.pending().await, 2);
}

async fn a_message_has_its_effect_once(fixture: Fixture) {
    let order = place(&*fixture.store, 0).await;
    let handled = Handled { consumer: "queue", event_id: EventId::generate(START) };
    let mut note = |order: &mut Order| {
        order.notes = Some(order.notes.take().unwrap_or_default() + "!");
        Some(written(Effects::none().handling(handled)))
    };
    let noted = fixture.store.change(order.id, &mut note).await.unwrap();
    let again = fixture.store.change(order.id, &mut note).await;
    assert!(matches!(again, Err(StoreError::AlreadyHandled)), "{again:?}");
    assert_eq!(fixture.store.find(order.id).await.unwrap(), noted);
}

async fn pages_are_newest_first_and_do_not_overlap(fixture: Fixture) {
    let store = fixture.store;
    let mut placed = Vec::new();
    for second in [0, 1, 1, 1, 2] {
        placed.push(place(&*store, second).await);
    }
    placed.sort_by_key(|order| std::cmp::Reverse((order.created_at, order.id)));
    let mut read = Vec::new();
    for page in 0..3 {
        let page = store.list(Filter::default(), page * 2, 2).await.unwrap();
        assert_eq!(page.total, 5);
        read.extend(page.orders);
    }
    assert_eq!(read, placed);

    write(&*store, placed[1].id, |order| order.status = OrderStatus::Shipped).await;
    let filtered = async |user: Option<UserId>, status: Option<OrderStatus>| {
        let page = store.list(Filter { user_id: user, status }, 0, 10).await.unwrap();
        assert_eq!(page.total, i64::try_from(page.orders.len()).unwrap());
        page.orders.into_iter().map(|order| order.id).collect::<Vec<_>>()
    };
    assert_eq!(filtered(Some(placed[0].user_id), None).await, [placed[0].id]);
    assert_eq!(filtered(None, Some(OrderStatus::Shipped)).await, [placed[1].id]);
    assert!(filtered(Some(placed[0].user_id), Some(OrderStatus::Shipped)).await.is_empty());
    assert_eq!(filtered(Some(placed[1].user_id), Some(OrderStatus::Shipped)).await, [placed[1].id]);
    assert!(store.list(Filter::default(), i64::MAX, 10).await.unwrap().orders.is_empty());
}

async fn unpaid_orders_are_those_that_wait_for_money(fixture: Fixture) {
    let store = fixture.store;
    let mut unpaid = Vec::new();
    for (second, status) in (0..).zip(OrderStatus::ALL) {
        let order = place(&*store, second).await;
        write(&*store, order.id, |order| order.status = *status).await;
        if matches!(status, OrderStatus::Pending | OrderStatus::Confirmed) {
            unpaid.push(order);
        }
    }
    let ids: Vec<_> = unpaid.iter().map(|order| order.id).collect();
    assert_eq!(store.unpaid(at(60), at(60), 10).await.unwrap(), ids);
    assert_eq!(store.unpaid(at(60), at(60), 1).await.unwrap(), ids[..1], "the oldest comes first");
    assert_eq!(store.unpaid(unpaid[0].created_at, at(60), 10).await.unwrap(), ids[..1], "to the millisecond");
    assert_eq!(store.oldest_unpaid(false).await.unwrap(), Some(unpaid[0].created_at));

    let mut foreign = payment(1, PaymentStatus::Completed);
    foreign.seen.as_mut().unwrap().counts = false;
    write(&*store, ids[0], |order| order.payments = vec![foreign.clone()]).await;
    assert_eq!(store.unpaid(at(60), at(60), 10).await.unwrap(), ids, "what does not count is no money");
    write(&*store, ids[0], |order| order.payments.push(payment(1, PaymentStatus::Completed))).await;
    assert_eq!(store.unpaid(at(60), at(60), 10).await.unwrap(), ids[1..]);
    assert_eq!(store.oldest_unpaid(false).await.unwrap(), Some(unpaid[1].created_at));
}

async fn processing_payment_extends_the_wait(fixture: Fixture) {
    let store = fixture.store;
    let (waiting, processing) = (place(&*store, 1).await, place(&*store, 0).await);
    let pay = |status| {
        let payment = payment(1, status);
        write(&*store, processing.id, move |order| order.payments = vec![payment.clone()])
    };
    pay(PaymentStatus::Processing).await;
    assert_eq!(store.unpaid(at(60), at(-1), 10).await.unwrap(), [waiting.id]);
    assert_eq!(store.unpaid(at(60), at(0), 10).await.unwrap(), [processing.id, waiting.id]);
    assert_eq!(store.oldest_unpaid(false).await.unwrap(), Some(at(1)));
    assert_eq!(store.oldest_unpaid(true).await.unwrap(), Some(at(0)));
    pay(PaymentStatus::Failed).await;
    assert_eq!(store.unpaid(at(60), at(-1), 10).await.unwrap(), [processing.id, waiting.id]);
    assert_eq!(store.oldest_unpaid(true).await.unwrap(), None);
}

fn placed_by(user: UserId, second: i64) -> Placed {
    let mut placed = placed_at(second);
    placed.order.user_id = user;
    placed
}

fn limits(orders: u32, pieces: u32) -> UnpaidLimits {
    UnpaidLimits { orders: NonZeroU32::new(orders), pieces: NonZeroU32::new(pieces) }
}

async fn unpaid_orders_of_a_person_are_counted_with_their_pieces(fixture: Fixture) {
    let store = fixture.store;
    let user = UserId::generate(at(0));
    for status in OrderStatus::ALL {
        let order = insert(&*store, &placed_by(user, 0)).await;
        write(&*store, order.id, |order| order.status = *status).await;
    }
    let paid = insert(&*store, &placed_by(user, 0)).await;
    write(&*store, paid.id, |order| order.payments = vec![payment(1, PaymentStatus::Completed)]).await;
    place(&*store, 0).await;
    assert_eq!(store.unpaid_of(user).await.unwrap(), Unpaid { orders: 2, pieces: 6 });
}

async fn order_beyond_a_limit_is_rejected_and_leaves_nothing(fixture: Fixture) {
    let store = &fixture.store;
    let user = UserId::generate(at(0));
    let place = async |limits| {
        let placed = placed_by(user, 0);
        let effects = written(Effects::of(at(0), placed.order.created_event()));
        (placed.order.id, store.insert(&placed, limits, &effects).await.unwrap())
    };
    let (first, outcome) = place(limits(2, 6)).await;
    assert_eq!(outcome, Ok(()));
    let (second, outcome) = place(limits(2, 6)).await;
    assert_eq!(outcome, Ok(()));
    let [two, six] = [2, 6].map(|limit| NonZeroU32::new(limit).unwrap());
    let (third, outcome) = place(limits(2, 0)).await;
    assert_eq!(outcome, Err(Refusal::TooManyUnpaidOrders { limit: two }));
    assert_eq!(place(limits(0, 6)).await.1, Err(Refusal::TooManyUnpaidPieces { limit: six }));
    assert_eq!(store.find(third).await.unwrap(), None);
    assert_eq!((fixture.pending().await, store.timeline(third).await.unwrap().len()), (2, 0));
    write(&**store, first, |order| order.status = OrderStatus::Cancelled).await;
    assert_eq!(place(limits(2, 6)).await.1, Ok(()), "what is cancelled counts no more");
    write(&**store, second, |order| order.payments = vec![payment(1, PaymentStatus::Completed)]).await;
    assert_eq!(place(limits(2, 6)).await.1, Ok(()), "nor what is paid");
    assert_eq!(place(UnpaidLimits::NONE).await.1, Ok(()));
}

async fn deleted_account_places_no_orders_and_its_unpaid_ones_are_listed(fixture: Fixture) {
    let store = &fixture.store;
    let user = UserId::generate(at(0));
    let mut unpaid = Vec::new();
    for _ in 0..2 {
        unpaid.push(insert(&**store, &placed_by(user, 0)).await.id);
    }
    unpaid.sort_unstable();
    let paid = insert(&**store, &placed_by(user, 0)).await;
    write(&**store, paid.id, |order| order.payments = vec![payment(1, PaymentStatus::Completed)]).await;
    let other = place(&**store, 0).await;
    for _ in 0..2 {
        assert_eq!(store.delete_customer(user, at(1)).await.unwrap(), unpaid);
    }
    for limits in [UnpaidLimits::NONE, limits(100, 1000)] {
        let outcome = store.insert(&placed_by(user, 2), limits, &Written::default()).await.unwrap();
        assert_eq!(outcome, Err(Refusal::AccountDeleted));
    }
    insert(&**store, &placed_by(other.user_id, 2)).await;
}

async fn a_store_that_is_opened_again_knows_the_same(fixture: Fixture) {
    let order = place(&*fixture.store, 0).await;
    let abandoned = placed_at(1);
    fixture.store.abandon(abandoned.order.id, at(1)).await.unwrap();
    let again = fixture.opened_again().await;
    let store = &again.store;
    assert_eq!(store.find(order.id).await.unwrap(), Some(order));
    let refused = store.insert(&abandoned, UnpaidLimits::NONE, &Written::default()).await.unwrap_err();
    assert_eq!(refused.unique(), Some(ID_TAKEN));
}

async fn what_happened_is_kept_in_order(fixture: Fixture) {
    let (store, placed) = (&fixture.store, placed_at(0));
    let created = written(Effects::of(at(0), placed.order.created_event()));
    store.insert(&placed, UnpaidLimits::NONE, &created).await.unwrap().unwrap();
    let mut cancel = |order: &mut Order| {
        let events = order.cancel(Actor::Owner, Some("changed my mind".to_owned()), at(2)).unwrap();
        Some(written(events.into_iter().fold(Effects::none(), |effects, event| effects.with(at(2), event))))
    };
    store.change(placed.order.id, &mut cancel).await.unwrap();
    let entries = store.timeline(placed.order.id).await.unwrap();
    assert_eq!(entries[..1], created.entries);
    let kinds: Vec<_> = entries.iter().map(|entry| entry.kind.as_str()).collect();
    assert_eq!(kinds, ["order.created", "order.cancelled"]);
    assert!(entries[1].summary.contains("changed my mind"), "{entries:?}");
    let other = place(&**store, 5).await;
    assert_eq!(store.timeline(other.id).await.unwrap(), []);
}

async fn what_happened_before_its_order_is_kept_too(fixture: Fixture) {
    let (store, placed) = (&fixture.store, placed_at(0));
    let entry = Entry {
        order_id: placed.order.id,
        at: at(0),
        kind: "product.stock_reserved".to_owned(),
        summary: "The goods were reserved".to_owned(),
        service: "product-service".to_owned(),
        event_id: EventId::generate(at(0)),
        trace_id: Some("0af7651916cd43dd8448eb211c80319c".to_owned()),
        data: "{}".to_owned(),
    };
    let handled = Handled { consumer: "queue", event_id: entry.event_id };
    let heard = Written { effects: Effects::none().handling(handled), entries: vec![entry.clone()] };
    store.record(&heard).await.unwrap();
    let again = store.record(&heard).await;
    assert!(matches!(again, Err(StoreError::AlreadyHandled)), "{again:?}");
    store.insert(&placed, UnpaidLimits::NONE, &Written::default()).await.unwrap().unwrap();
    assert_eq!(store.timeline(placed.order.id).await.unwrap(), [entry]);
}

async fn an_audit_has_every_order_once_by_id(fixture: Fixture) {
    let store = &fixture.store;
    let mut ids = Vec::new();
    for second in 0..5 {
        ids.push(place(&**store, second).await.id);
    }
    ids.sort_unstable();
    let (mut after, mut read) = (None, Vec::new());
    loop {
        let page = store.audit(after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.order.id);
        assert_eq!((last.placed_by.as_str(), last.idempotency_key.as_deref()), ("ada", Some("key")));
        read.extend(page.into_iter().map(|audited| audited.order.id));
    }
    assert_eq!(read, ids);
}
