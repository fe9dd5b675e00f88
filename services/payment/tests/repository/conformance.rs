//! Conformance suite of the payment repository, run on both databases.

use chrono::{DateTime, Duration, Utc};
use common::database::store::StoreError;
use common::database::transaction_effects::{Effects, InboxRecord};
use contracts::api::{PaymentMethod, RefundCause, RefundStatus};
use contracts::{Actor, EventId, Money, OrderId, PaymentId, RefundId, UserId};
use payment_service::domain::*;
use payment_service::repository::{CONSTRAINT_INTENT, CONSTRAINT_ONE_OPEN_PAYMENT, PaymentRepository, ReconcileTask};

use crate::fixture::{Fixture, suite};

const START: DateTime<Utc> = DateTime::from_timestamp_millis(1_700_000_000_000).unwrap();

suite!(
    aggregate_round_trips,
    unknown_ids_return_none,
    update_without_effects_rolls_back,
    order_has_at_most_one_open_payment,
    intent_belongs_to_one_payment,
    message_takes_effect_once,
    concurrent_updates_are_serialised,
    due_tasks_are_listed_oldest_first_and_not_under_a_lease,
    hinted_payments_are_listed_before_older_tasks,
    refunds_to_send_are_listed_first_and_checks_of_succeeded_refunds_last,
    reopened_repository_returns_the_same_aggregate,
    audit_pages_contain_every_payment_once_by_id,
    concurrent_first_updates_see_each_other,
);

fn order() -> OrderId {
    OrderId::generate(START)
}

fn request() -> (OrderTerms, NewPayment) {
    let (user_id, total) = (UserId::generate(START), Money::from_cents(10_000));
    let terms = OrderTerms { user_id, total, currency: "USD".to_owned() };
    let request = NewPayment {
        user_id,
        amount: total,
        currency: "USD".to_owned(),
        method: PaymentMethod::Card,
        description: None,
        metadata: None,
        actor: Actor::System,
    };
    (terms, request)
}

fn start(payments: &mut OrderPayments, now: DateTime<Utc>) -> PaymentId {
    let (terms, request) = request();
    match payments.start(terms, request, FencingToken::generate(now), now) {
        Ok(StartOutcome::Started(payment)) => payment.id,
        other => panic!("not started: {other:?}"),
    }
}

async fn update(repository: &dyn PaymentRepository, order: OrderId, mut change: impl FnMut(&mut OrderPayments) + Send) {
    repository
        .update(order, &mut |payments| {
            change(payments);
            Some(Effects::none())
        })
        .await
        .unwrap();
}

async fn aggregate_round_trips(fixture: Fixture) {
    let (order, repository) = (order(), fixture.repository);
    let mut written = None;
    update(&*repository, order, |payments| {
        start(payments, START);
        payments.order.cancelled_at = Some(START + Duration::seconds(1));
        let payment = &mut payments.payments[0];
        let mut refund = Refund::new(Money::from_cents(300), RefundCause::Doubled, false, START);
        refund.status = RefundStatus::Failed;
        refund.reason = Some("because".to_owned());
        refund.failure_reason = Some("no".to_owned());
        refund.attempts = 5;
        refund.needs_attention = true;
        refund.paid_twice = true;
        refund.actor = Actor::Service("client".to_owned());
        refund.previous_provider_ids = vec!["re_0".to_owned(), "re_00".to_owned()];
        refund.provider_refund_id = Some("re_1".to_owned());
        refund.task.acquire(FencingToken::generate(START), START);
        refund.task.unknown_outcome = Some(UnknownOutcome::NoResponse);
        let mut booked = Refund::new(Money::from_cents(1), RefundCause::Provider, true, START);
        booked.settled = true;
        *payment = Payment {
            state: State::Completed,
            method: PaymentMethod::GooglePay,
            intent: Some("pi_1".to_owned()),
            intent_closed: true,
            cancel_requested: true,
            transaction_id: Some("txn".to_owned()),
            external: true,
            captured: Some(Captured { amount: Money::from_cents(9_999), currency: "EUR".to_owned() }),
            refund_cause: Some(RefundCause::Late),
            refunds_announced: Money::from_cents(5),
            sync_refunds: true,
            hints: vec!["pi_1".to_owned(), "pi_2".to_owned()],
            idle_fetches: 2,
            last_idle_fetch_at: Some(START + Duration::seconds(1)),
            trace: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
            description: Some("Größe ✓".to_owned()),
            failure_reason: Some("declined".to_owned()),
            metadata: Some("{\"a\": 1.0}".to_owned()),
            version: 7,
            updated_at: START + Duration::seconds(2),
            processed_at: Some(START + Duration::seconds(3)),
            refunded_at: Some(START + Duration::seconds(4)),
            refunds: vec![refund, booked],
            task: LeasedTask {
                due_at: Some(START),
                polls: 3,
                lease: None,
                attempt: 2,
                unknown_outcome: Some(UnknownOutcome::ServerError),
                called_at: Some(START),
            },
            ..payment.clone()
        };
        payments.take_events();
        written = Some(payments.clone());
    })
    .await;
    let loaded = repository.find(order).await.unwrap();
    assert_eq!(loaded, written);
    let loaded = loaded.unwrap();
    let (payment, refund) = (loaded.payments[0].id, loaded.payments[0].refunds[0].id);
    assert_eq!(repository.order_id_by_refund(refund).await.unwrap(), Some((order, payment)));
    assert_eq!(repository.count_needing_attention().await.unwrap(), 1);
    assert!(repository.audit_page(None, 1).await.unwrap()[0].1, "the order is cancelled");
    assert_eq!(repository.order_id_by_payment(payment).await.unwrap(), Some(order));
    assert_eq!(repository.order_id_by_intent("pi_1").await.unwrap(), Some(order));
    // A second update may remove values.
    update(&*repository, order, |payments| {
        let payment = &mut payments.payments[0];
        payment.description = None;
        payment.hints.clear();
        payment.task = LeasedTask::default();
        payment.refunds[0].task = LeasedTask::default();
        written = Some(payments.clone());
    })
    .await;
    assert_eq!(repository.find(order).await.unwrap(), written);
}

async fn unknown_ids_return_none(fixture: Fixture) {
    let repository = fixture.repository;
    assert_eq!(repository.find(order()).await.unwrap(), None);
    assert_eq!(repository.order_id_by_payment(PaymentId::generate(START)).await.unwrap(), None);
    assert_eq!(repository.order_id_by_intent("pi_1").await.unwrap(), None);
    assert_eq!(repository.order_id_by_refund(RefundId::generate(START)).await.unwrap(), None);
    assert_eq!(repository.count_needing_attention().await.unwrap(), 0);
    assert_eq!(repository.next_due_at().await.unwrap(), None);
    assert!(repository.list_due_tasks(START, 10).await.unwrap().is_empty());
    repository.ping().await.unwrap();
}

async fn update_without_effects_rolls_back(fixture: Fixture) {
    let (order, repository) = (order(), fixture.repository);
    let mut update = |payments: &mut OrderPayments| {
        start(payments, START);
        None
    };
    repository.update(order, &mut update).await.unwrap();
    assert_eq!(repository.find(order).await.unwrap(), None);
}

async fn order_has_at_most_one_open_payment(fixture: Fixture) {
    let (order, repository) = (order(), fixture.repository);
    let open = |state| {
        move |payments: &mut OrderPayments| {
            let mut other = OrderPayments::unknown(payments.order.id);
            start(&mut other, START);
            let mut payment = other.payments.remove(0);
            payment.state = state;
            payments.payments.push(payment);
            Some(Effects::none())
        }
    };
    repository.update(order, &mut open(State::Settling)).await.unwrap();
    for state in [State::Pending, State::Processing, State::Settling] {
        let error = repository.update(order, &mut open(state)).await.unwrap_err();
        assert_eq!(error.unique(), Some(CONSTRAINT_ONE_OPEN_PAYMENT), "{error}");
    }
    repository.update(order, &mut open(State::Failed)).await.unwrap();
    assert_eq!(repository.find(order).await.unwrap().unwrap().payments.len(), 2);
}

async fn intent_belongs_to_one_payment(fixture: Fixture) {
    let repository = fixture.repository;
    let mut with_intent = |payments: &mut OrderPayments| {
        start(payments, START);
        payments.payments[0].intent = Some("pi_1".to_owned());
        Some(Effects::none())
    };
    repository.update(order(), &mut with_intent).await.unwrap();
    let error = repository.update(order(), &mut with_intent).await.unwrap_err();
    assert_eq!(error.unique(), Some(CONSTRAINT_INTENT), "{error}");
}

async fn message_takes_effect_once(fixture: Fixture) {
    let (order, repository) = (order(), fixture.repository);
    let handled = InboxRecord { consumer: "queue", event_id: EventId::generate(START) };
    let mut cancel = |payments: &mut OrderPayments| {
        payments.order.cancelled_at = Some(payments.order.cancelled_at.map_or(START, |at| at + Duration::days(1)));
        Some(Effects::none().consuming(handled))
    };
    repository.update(order, &mut cancel).await.unwrap();
    let again = repository.update(order, &mut cancel).await;
    assert!(matches!(again, Err(StoreError::AlreadyHandled)), "{again:?}");
    assert_eq!(repository.find(order).await.unwrap().unwrap().order.cancelled_at, Some(START));
}

async fn concurrent_updates_are_serialised(fixture: Fixture) {
    let (order, repository) = (order(), fixture.repository);
    update(&*repository, order, |payments| {
        start(payments, START);
    })
    .await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let repository = repository.clone();
        tasks.spawn(async move { update(&*repository, order, |payments| payments.payments[0].version += 1).await });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(repository.find(order).await.unwrap().unwrap().payments[0].version, 21);
}

async fn due_tasks_are_listed_oldest_first_and_not_under_a_lease(fixture: Fixture) {
    let (order, repository) = (order(), fixture.repository);
    let at = |seconds| START + Duration::seconds(seconds);
    let mut ids: Option<(PaymentId, RefundId)> = None;
    update(&*repository, order, |payments| {
        let payment = start(payments, START);
        let mut refund = Refund::new(Money::from_cents(300), RefundCause::Late, false, START);
        refund.task.due_at = Some(at(5));
        refund.provider_refund_id = Some("re_1".to_owned());
        ids = Some((payment, refund.id));
        payments.payments[0].refunds.push(refund);
        // Scheduled during the lease, which expires after ten seconds.
        payments.payments[0].task.due_at = Some(at(1));
    })
    .await;
    let (payment, refund) = ids.unwrap();
    let (of_payment, of_refund) =
        (ReconcileTask::Payment(order, payment), ReconcileTask::Refund(order, payment, refund));
    assert_eq!(repository.next_due_at().await.unwrap(), Some(at(5)));
    assert!(repository.list_due_tasks(at(4), 10).await.unwrap().is_empty());
    assert_eq!(repository.list_due_tasks(at(5), 10).await.unwrap(), [of_refund]);
    assert_eq!(repository.list_due_tasks(at(10), 10).await.unwrap(), [of_payment, of_refund]);
    assert_eq!(repository.list_due_tasks(at(10), 1).await.unwrap(), [of_payment]);
    update(&*repository, order, |payments| payments.payments[0].refunds[0].task.due_at = None).await;
    assert_eq!(repository.next_due_at().await.unwrap(), Some(at(10)));
}

async fn hinted_payments_are_listed_before_older_tasks(fixture: Fixture) {
    let repository = fixture.repository;
    let at = |seconds| START + Duration::seconds(seconds);
    let mut due = Vec::new();
    for (seconds, named) in [(1, false), (3, true), (2, true), (4, false)] {
        let order = order();
        let mut id = None;
        update(&*repository, order, |payments| {
            id = Some(start(payments, START));
            let payment = &mut payments.payments[0];
            payment.task = LeasedTask { due_at: Some(at(seconds)), ..LeasedTask::default() };
            payment.hints.extend(named.then(|| "pi_1".to_owned()));
        })
        .await;
        due.push(ReconcileTask::Payment(order, id.unwrap()));
    }
    let [oldest, second, first, last] = due[..] else { unreachable!() };
    assert_eq!(repository.list_due_tasks(at(10), 10).await.unwrap(), [first, second, oldest, last]);
    assert_eq!(repository.list_due_tasks(at(10), 1).await.unwrap(), [first]);
    assert_eq!(repository.list_due_tasks(at(1), 10).await.unwrap(), [oldest]);
}

async fn refunds_to_send_are_listed_first_and_checks_of_succeeded_refunds_last(fixture: Fixture) {
    let repository = fixture.repository;
    let at = |seconds| START + Duration::seconds(seconds);
    let (refunded, hinted) = (order(), order());
    let mut ids = Vec::new();
    update(&*repository, refunded, |payments| {
        let payment = start(payments, START);
        payments.payments[0].task.due_at = None;
        for (seconds, provider_id, status) in [
            (1, Some("re_1"), RefundStatus::Succeeded),
            (3, Some("re_2"), RefundStatus::Pending),
            (4, None, RefundStatus::Pending),
        ] {
            let mut refund = Refund::new(Money::from_cents(300), RefundCause::Late, false, START);
            refund.task.due_at = Some(at(seconds));
            refund.provider_refund_id = provider_id.map(ToOwned::to_owned);
            refund.status = status;
            ids.push(ReconcileTask::Refund(refunded, payment, refund.id));
            payments.payments[0].refunds.push(refund);
        }
    })
    .await;
    update(&*repository, hinted, |payments| {
        let payment = start(payments, START);
        payments.payments[0].task = LeasedTask { due_at: Some(at(2)), ..LeasedTask::default() };
        payments.payments[0].hints.push("pi_1".to_owned());
        ids.push(ReconcileTask::Payment(hinted, payment));
    })
    .await;
    let [checked, polled, to_send, of_hint] = ids[..] else { unreachable!() };
    assert_eq!(repository.list_due_tasks(at(10), 10).await.unwrap(), [to_send, of_hint, polled, checked]);
    assert_eq!(repository.list_due_tasks(at(10), 1).await.unwrap(), [to_send]);
}

async fn reopened_repository_returns_the_same_aggregate(fixture: Fixture) {
    let (order, repository) = (order(), fixture.repository.clone());
    update(&*repository, order, |payments| {
        start(payments, START);
    })
    .await;
    let before = repository.find(order).await.unwrap();
    let again = fixture.reopen().await;
    assert_eq!(again.repository.find(order).await.unwrap(), before);
}

async fn audit_pages_contain_every_payment_once_by_id(fixture: Fixture) {
    let repository = &fixture.repository;
    let mut ids = Vec::new();
    for _ in 0..5 {
        update(&**repository, order(), |payments| ids.push(start(payments, START))).await;
    }
    ids.sort_unstable();
    let (mut after, mut read) = (None, Vec::new());
    loop {
        let page = repository.audit_page(after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.0.id);
        assert!(page.iter().all(|(_, cancelled)| !cancelled));
        read.extend(page.into_iter().map(|(payment, _)| payment.id));
    }
    assert_eq!(read, ids);
}

async fn concurrent_first_updates_see_each_other(fixture: Fixture) {
    let order = order();
    let changes = (0..16).map(|_| {
        let repository = fixture.repository.clone();
        tokio::spawn(async move {
            let mut started = false;
            update(&*repository, order, |payments| {
                if payments.payments.is_empty() {
                    start(payments, START);
                    started = true;
                }
            })
            .await;
            started
        })
    });
    let mut started = 0;
    for change in changes.collect::<Vec<_>>() {
        started += usize::from(change.await.unwrap());
    }
    assert_eq!(started, 1, "the order's row is locked before its payments are loaded");
}
