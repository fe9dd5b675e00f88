//! The suite that every store of payments passes.

#![expect(clippy::unwrap_used, reason = "what a test needs and does not find ends it")]

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use common::effects::{Effects, Handled};
use common::postgres::{Postgres, PostgresUrl};
use common::sqlite::Sqlite;
use common::store::StoreError;
use contracts::calls::{PaymentMethod, RefundCause, RefundStatus};
use contracts::{EventId, Money, OrderId, PaymentId, RefundId, UserId};
use payment_service::NAME;
use payment_service::domain::*;
use payment_service::store::postgres::{self, PostgresPayments};
use payment_service::store::sqlite::{self, SqlitePayments};
use payment_service::store::{Due, Payments};

const START: DateTime<Utc> = DateTime::from_timestamp_millis(1_700_000_000_000).unwrap();

/// Payments with nothing in them, in a store that can be opened again.
struct Fixture {
    store: Arc<dyn Payments>,
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
        let path = directory.path().join("payment.db");
        let db = Sqlite::open(&path, NAME, &sqlite::MIGRATIONS).await.unwrap();
        let store = Arc::new(SqlitePayments::new(db.clone()));
        Self { store, again: Again::Sqlite(db, directory) }
    }

    async fn postgres() -> Option<Self> {
        let url = testkit::servers::postgres().await?.database().await.parse().unwrap();
        Some(Self::at(url).await)
    }

    async fn at(url: PostgresUrl) -> Self {
        let db = Postgres::open(&url, NAME, &postgres::MIGRATIONS).await.unwrap();
        let store = Arc::new(PostgresPayments::new(db.clone()));
        Self { store, again: Again::Postgres(db, url) }
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
    an_account_is_read_as_it_was_written,
    what_is_not_known_is_none,
    nothing_is_written_where_nothing_is_decided,
    an_order_has_one_open_payment,
    an_intent_has_one_payment,
    a_message_has_its_effect_once,
    changes_of_an_account_follow_each_other,
    what_is_due_comes_oldest_first_and_not_while_leased,
    what_webhooks_named_is_due_before_what_is_older,
    a_store_that_is_opened_again_knows_the_same,
    an_audit_has_every_payment_once_by_id,
    of_many_changes_at_once_each_sees_the_one_before,
);

fn order() -> OrderId {
    OrderId::generate(START)
}

fn request() -> (Terms, NewPayment) {
    let (user_id, total) = (UserId::generate(START), Money::from_cents(10_000));
    let terms = Terms { user_id, total, currency: "USD".to_owned() };
    let request = NewPayment {
        user_id,
        amount: total,
        currency: "USD".to_owned(),
        method: PaymentMethod::Card,
        description: None,
        metadata: None,
    };
    (terms, request)
}

fn begin(account: &mut Account, now: DateTime<Utc>) -> PaymentId {
    let (terms, request) = request();
    match account.begin(terms, request, LeaseToken::generate(now), now) {
        Ok(Begin::Opened(payment)) => payment.id,
        other => panic!("not opened: {other:?}"),
    }
}

async fn write(store: &dyn Payments, order: OrderId, mut change: impl FnMut(&mut Account) + Send) {
    store
        .change(order, &mut |account| {
            change(account);
            Some(Effects::none())
        })
        .await
        .unwrap();
}

async fn an_account_is_read_as_it_was_written(fixture: Fixture) {
    let (order, store) = (order(), fixture.store);
    let mut written = None;
    write(&*store, order, |account| {
        begin(account, START);
        account.order.cancelled_at = Some(START + Duration::seconds(1));
        let payment = &mut account.payments[0];
        let mut refund = Refund::new(Money::from_cents(300), RefundCause::Doubled, false, START);
        refund.status = RefundStatus::Failed;
        refund.reason = Some("because".to_owned());
        refund.failure = Some("no".to_owned());
        refund.attempts = 5;
        refund.needs_attention = true;
        refund.paid_twice = true;
        refund.actor = Some(Actor::Service("client".to_owned()));
        refund.former = vec!["re_0".to_owned(), "re_00".to_owned()];
        refund.provider_refund = Some("re_1".to_owned());
        refund.work.take(LeaseToken::generate(START), START);
        refund.work.doubt = Some(Doubt::Unanswered);
        let mut booked = Refund::new(Money::from_cents(1), RefundCause::Provider, true, START);
        booked.settled = true;
        *payment = Payment {
            state: State::Completed,
            method: PaymentMethod::GooglePay,
            intent: Some("pi_1".to_owned()),
            closed: true,
            stop: true,
            transaction_id: Some("txn".to_owned()),
            external: true,
            captured: Some(Captured { amount: Money::from_cents(9_999), currency: "EUR".to_owned() }),
            unwanted: Some(RefundCause::Late),
            announced: Money::from_cents(5),
            sync_refunds: true,
            hints: vec!["pi_1".to_owned(), "pi_2".to_owned()],
            idle_looks: 2,
            idle_look_at: Some(START + Duration::seconds(1)),
            trace: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
            description: Some("Größe ✓".to_owned()),
            failure_reason: Some("declined".to_owned()),
            metadata: Some("{\"a\": 1.0}".to_owned()),
            version: 7,
            updated_at: START + Duration::seconds(2),
            processed_at: Some(START + Duration::seconds(3)),
            refunded_at: Some(START + Duration::seconds(4)),
            refunds: vec![refund, booked],
            work: Work {
                due_at: Some(START),
                tries: 3,
                lease: None,
                attempt: 2,
                doubt: Some(Doubt::ServerError),
                called_at: Some(START),
            },
            ..payment.clone()
        };
        account.take_events();
        written = Some(account.clone());
    })
    .await;
    let read = store.account(order).await.unwrap();
    assert_eq!(read, written);
    let read = read.unwrap();
    let (payment, refund) = (read.payments[0].id, read.payments[0].refunds[0].id);
    assert_eq!(store.order_of_refund(refund).await.unwrap(), Some((order, payment)));
    assert_eq!(store.count_needing_attention().await.unwrap(), 1);
    assert!(store.audit(None, 1).await.unwrap()[0].1, "its order is cancelled");
    assert_eq!(store.order_of(payment).await.unwrap(), Some(order));
    assert_eq!(store.order_of_intent("pi_1").await.unwrap(), Some(order));
    // What is written again may be less.
    write(&*store, order, |account| {
        let payment = &mut account.payments[0];
        payment.description = None;
        payment.hints.clear();
        payment.work = Work::default();
        payment.refunds[0].work = Work::default();
        written = Some(account.clone());
    })
    .await;
    assert_eq!(store.account(order).await.unwrap(), written);
}

async fn what_is_not_known_is_none(fixture: Fixture) {
    let store = fixture.store;
    assert_eq!(store.account(order()).await.unwrap(), None);
    assert_eq!(store.order_of(PaymentId::generate(START)).await.unwrap(), None);
    assert_eq!(store.order_of_intent("pi_1").await.unwrap(), None);
    assert_eq!(store.order_of_refund(RefundId::generate(START)).await.unwrap(), None);
    assert_eq!(store.count_needing_attention().await.unwrap(), 0);
    assert_eq!(store.next_due().await.unwrap(), None);
    assert!(store.due(START, 10).await.unwrap().is_empty());
    store.ping().await.unwrap();
}

async fn nothing_is_written_where_nothing_is_decided(fixture: Fixture) {
    let (order, store) = (order(), fixture.store);
    let mut decide = |account: &mut Account| {
        begin(account, START);
        None
    };
    store.change(order, &mut decide).await.unwrap();
    assert_eq!(store.account(order).await.unwrap(), None);
}

async fn an_order_has_one_open_payment(fixture: Fixture) {
    let (order, store) = (order(), fixture.store);
    let open = |state| {
        move |account: &mut Account| {
            let mut other = Account::unknown(account.order.id);
            begin(&mut other, START);
            let mut payment = other.payments.remove(0);
            payment.state = state;
            account.payments.push(payment);
            Some(Effects::none())
        }
    };
    store.change(order, &mut open(State::Settling)).await.unwrap();
    for state in [State::Pending, State::Processing, State::Settling] {
        let error = store.change(order, &mut open(state)).await.unwrap_err();
        assert_eq!(error.unique(), Some("payments.order_id"), "{error}");
    }
    store.change(order, &mut open(State::Failed)).await.unwrap();
    assert_eq!(store.account(order).await.unwrap().unwrap().payments.len(), 2);
}

async fn an_intent_has_one_payment(fixture: Fixture) {
    let store = fixture.store;
    let mut with_intent = |account: &mut Account| {
        begin(account, START);
        account.payments[0].intent = Some("pi_1".to_owned());
        Some(Effects::none())
    };
    store.change(order(), &mut with_intent).await.unwrap();
    let error = store.change(order(), &mut with_intent).await.unwrap_err();
    assert_eq!(error.unique(), Some("payments.intent"), "{error}");
}

async fn a_message_has_its_effect_once(fixture: Fixture) {
    let (order, store) = (order(), fixture.store);
    let handled = Handled { consumer: "queue", event_id: EventId::generate(START) };
    let mut cancel = |account: &mut Account| {
        account.order.cancelled_at = Some(account.order.cancelled_at.map_or(START, |at| at + Duration::days(1)));
        Some(Effects::none().handling(handled))
    };
    store.change(order, &mut cancel).await.unwrap();
    let again = store.change(order, &mut cancel).await;
    assert!(matches!(again, Err(StoreError::AlreadyHandled)), "{again:?}");
    assert_eq!(store.account(order).await.unwrap().unwrap().order.cancelled_at, Some(START));
}

async fn changes_of_an_account_follow_each_other(fixture: Fixture) {
    let (order, store) = (order(), fixture.store);
    write(&*store, order, |account| {
        begin(account, START);
    })
    .await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let store = store.clone();
        tasks.spawn(async move { write(&*store, order, |account| account.payments[0].version += 1).await });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(store.account(order).await.unwrap().unwrap().payments[0].version, 21);
}

async fn what_is_due_comes_oldest_first_and_not_while_leased(fixture: Fixture) {
    let (order, store) = (order(), fixture.store);
    let at = |seconds| START + Duration::seconds(seconds);
    let mut ids: Option<(PaymentId, RefundId)> = None;
    write(&*store, order, |account| {
        let payment = begin(account, START);
        let mut refund = Refund::new(Money::from_cents(300), RefundCause::Late, false, START);
        refund.work.due_at = Some(at(5));
        ids = Some((payment, refund.id));
        account.payments[0].refunds.push(refund);
        // Somebody urged it during the lease, which runs out after ten seconds.
        account.payments[0].work.due_at = Some(at(1));
    })
    .await;
    let (payment, refund) = ids.unwrap();
    let (of_payment, of_refund) = (Due::Payment(order, payment), Due::Refund(order, payment, refund));
    assert_eq!(store.next_due().await.unwrap(), Some(at(5)));
    assert!(store.due(at(4), 10).await.unwrap().is_empty());
    assert_eq!(store.due(at(5), 10).await.unwrap(), [of_refund]);
    assert_eq!(store.due(at(10), 10).await.unwrap(), [of_payment, of_refund]);
    assert_eq!(store.due(at(10), 1).await.unwrap(), [of_payment]);
    write(&*store, order, |account| account.payments[0].refunds[0].work.due_at = None).await;
    assert_eq!(store.next_due().await.unwrap(), Some(at(10)));
}

async fn what_webhooks_named_is_due_before_what_is_older(fixture: Fixture) {
    let store = fixture.store;
    let at = |seconds| START + Duration::seconds(seconds);
    let mut due = Vec::new();
    for (seconds, named) in [(1, false), (3, true), (2, true), (4, false)] {
        let order = order();
        let mut id = None;
        write(&*store, order, |account| {
            id = Some(begin(account, START));
            let payment = &mut account.payments[0];
            payment.work = Work { due_at: Some(at(seconds)), ..Work::default() };
            payment.hints.extend(named.then(|| "pi_1".to_owned()));
        })
        .await;
        due.push(Due::Payment(order, id.unwrap()));
    }
    let [oldest, second, first, last] = due[..] else { unreachable!() };
    assert_eq!(store.due(at(10), 10).await.unwrap(), [first, second, oldest, last]);
    assert_eq!(store.due(at(10), 1).await.unwrap(), [first]);
    assert_eq!(store.due(at(1), 10).await.unwrap(), [oldest]);
}

async fn a_store_that_is_opened_again_knows_the_same(fixture: Fixture) {
    let (order, store) = (order(), fixture.store.clone());
    write(&*store, order, |account| {
        begin(account, START);
    })
    .await;
    let before = store.account(order).await.unwrap();
    let again = fixture.opened_again().await;
    assert_eq!(again.store.account(order).await.unwrap(), before);
}

async fn an_audit_has_every_payment_once_by_id(fixture: Fixture) {
    let store = &fixture.store;
    let mut ids = Vec::new();
    for _ in 0..5 {
        write(&**store, order(), |account| ids.push(begin(account, START))).await;
    }
    ids.sort_unstable();
    let (mut after, mut read) = (None, Vec::new());
    loop {
        let page = store.audit(after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.0.id);
        assert!(page.iter().all(|(_, cancelled)| !cancelled));
        read.extend(page.into_iter().map(|(payment, _)| payment.id));
    }
    assert_eq!(read, ids);
}

async fn of_many_changes_at_once_each_sees_the_one_before(fixture: Fixture) {
    let order = order();
    let changes = (0..16).map(|_| {
        let store = fixture.store.clone();
        tokio::spawn(async move {
            let mut opened = false;
            write(&*store, order, |account| {
                if account.payments.is_empty() {
                    begin(account, START);
                    opened = true;
                }
            })
            .await;
            opened
        })
    });
    let mut opened = 0;
    for change in changes.collect::<Vec<_>>() {
        opened += usize::from(change.await.unwrap());
    }
    assert_eq!(opened, 1, "the order's row is locked before its payments are read");
}
