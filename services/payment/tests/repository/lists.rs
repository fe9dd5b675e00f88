//! Conformance suite of lists and totals, run on both databases.

use chrono::{DateTime, Duration, Utc};
use common::database::transaction_effects::Effects;
use common::database::{Period, Start};
use contracts::api::{PaymentMethod, PaymentStatus, RefundCause, RefundStatus};
use contracts::{Actor, Money, OrderId, PaymentId, RefundId, UserId};
use payment_service::domain::*;
use payment_service::repository::{PaymentFilter, PaymentRepository, RefundFilter, Totals};

use crate::fixture::{Fixture, suite};

const T0: DateTime<Utc> = DateTime::from_timestamp_millis(1_700_000_000_000).unwrap();

suite!(
    status_filter_agrees_with_the_status_of_each_payment,
    filters_are_combined,
    pages_after_a_row_contain_every_payment_once,
    refunds_are_listed_with_their_payment_and_order,
    totals_are_of_one_currency_and_period,
    empty_lists_have_no_rows,
);

fn at(seconds: i64) -> DateTime<Utc> {
    T0 + Duration::seconds(seconds)
}

fn refund(cents: i64, status: RefundStatus, now: DateTime<Utc>) -> Refund {
    let mut refund = Refund::new(Money::from_cents(cents), RefundCause::Granted, false, now);
    refund.status = status;
    refund
}

/// Stores a payment of 100.00 of an order of its own, changed by `change`, with the time of its last succeeded refund.
async fn insert(
    repository: &dyn PaymentRepository,
    now: DateTime<Utc>,
    change: impl Fn(&mut Payment) + Send + Sync,
) -> Payment {
    let (order, mut stored) = (OrderId::generate(now), None);
    let mut update = |payments: &mut OrderPayments| {
        let (user_id, total) = (UserId::generate(now), Money::from_cents(10_000));
        let terms = OrderTerms { user_id, total, currency: "USD".to_owned() };
        let (currency, method) = ("USD".to_owned(), PaymentMethod::Card);
        let new = NewPayment {
            user_id,
            amount: total,
            currency,
            method,
            description: None,
            metadata: None,
            actor: Actor::System,
        };
        payments.start(terms, new, FencingToken::generate(now), now).unwrap();
        let payment = &mut payments.payments[0];
        change(payment);
        let succeeded = payment.refunds.iter().filter(|refund| refund.status == RefundStatus::Succeeded);
        payment.refunded_at = succeeded.map(|refund| refund.updated_at).max();
        stored = Some(payment.clone());
        Some(Effects::none())
    };
    repository.update(order, &mut update).await.unwrap();
    stored.unwrap()
}

fn complete(payment: &mut Payment, currency: &str) {
    payment.state = State::Completed;
    payment.captured = Some(Captured { amount: payment.amount, currency: currency.to_owned() });
}

/// Stores a payment of each kind, a second apart.
async fn payments_of_each_kind(repository: &dyn PaymentRepository) -> Vec<Payment> {
    let mut all = Vec::new();
    for (seconds, state) in (0..).zip(State::ALL) {
        let store = |payment: &mut Payment| {
            payment.state = state;
            if state == State::Completed {
                complete(payment, "USD");
            }
        };
        all.push(insert(repository, at(seconds), store).await);
    }
    use RefundStatus::{Failed, Pending, Succeeded};
    let refunded: [&[(i64, RefundStatus)]; 5] = [
        &[(10_000, Succeeded)],
        &[(4_000, Succeeded), (6_000, Succeeded)],
        &[(4_000, Succeeded), (6_000, Pending)],
        &[(10_000, Failed)],
        &[(10_000, Pending)],
    ];
    for (seconds, refunds) in (6..).zip(refunded) {
        let store = |payment: &mut Payment| {
            complete(payment, "USD");
            payment.refunds = refunds.iter().map(|(cents, status)| refund(*cents, *status, at(seconds))).collect();
        };
        all.push(insert(repository, at(seconds), store).await);
    }
    all
}

async fn listed(repository: &dyn PaymentRepository, filter: PaymentFilter) -> Vec<PaymentId> {
    let page = repository.list_payments(filter, Start::Offset(0), 100).await.unwrap().unwrap();
    assert_eq!(page.total, i64::try_from(page.rows.len()).ok());
    page.rows.iter().map(|payment| payment.id).collect()
}

/// Returns the ids of those payments that fulfil a condition, newest first.
fn expected(all: &[Payment], holds: impl Fn(&Payment) -> bool) -> Vec<PaymentId> {
    all.iter().rev().filter(|payment| holds(payment)).map(|payment| payment.id).collect()
}

async fn status_filter_agrees_with_the_status_of_each_payment(fixture: Fixture) {
    let repository = &*fixture.repository;
    let all = payments_of_each_kind(repository).await;
    let mut found = 0;
    for status in PaymentStatus::ALL {
        let filter = PaymentFilter { status: Some(*status), ..PaymentFilter::default() };
        let payments = listed(repository, filter).await;
        assert_eq!(payments, expected(&all, |payment| payment.status() == *status), "{status}");
        assert!(!payments.is_empty(), "{status} is covered");
        found += payments.len();
    }
    assert_eq!(found, all.len());
    let page = repository.list_payments(PaymentFilter::default(), Start::Offset(0), 100).await.unwrap().unwrap();
    assert!(page.rows.iter().eq(all.iter().rev()), "complete payments with their refunds");
}

async fn filters_are_combined(fixture: Fixture) {
    let repository = &*fixture.repository;
    let mut all = Vec::new();
    for (seconds, method) in (0..).zip([PaymentMethod::Card, PaymentMethod::Paypal, PaymentMethod::Card]) {
        all.push(insert(repository, at(seconds), |payment| payment.method = method).await);
    }
    let none = PaymentFilter::default();
    let by_method = PaymentFilter { method: Some(PaymentMethod::Card), ..none };
    assert_eq!(listed(repository, by_method).await, [all[2].id, all[0].id]);
    let by_order = PaymentFilter { order_id: Some(all[1].order_id), ..none };
    assert_eq!(listed(repository, by_order).await, [all[1].id]);
    assert!(listed(repository, PaymentFilter { method: by_method.method, ..by_order }).await.is_empty());
    // The start is included, the end is not.
    let period = |from, to| Period { from: Some(at(from)), to: Some(at(to)) };
    let within = |period| PaymentFilter { period, ..none };
    assert_eq!(listed(repository, within(period(0, 1))).await, [all[0].id]);
    assert_eq!(listed(repository, within(period(1, 3))).await, [all[2].id, all[1].id]);
    assert_eq!(listed(repository, PaymentFilter { period: period(1, 3), ..by_method }).await, [all[2].id]);
}

async fn pages_after_a_row_contain_every_payment_once(fixture: Fixture) {
    let repository = &*fixture.repository;
    let mut all = Vec::new();
    // Several have the same time; then the order is the one of the ids.
    for seconds in [0, 0, 0, 1, 1, 2, 2] {
        all.push(insert(repository, at(seconds), |_| ()).await.id);
    }
    all.sort_unstable();
    all.reverse();
    let (mut start, mut read) = (Start::Offset(0), Vec::new());
    loop {
        let page = repository.list_payments(PaymentFilter::default(), start, 2).await.unwrap().unwrap();
        assert_eq!(page.total, matches!(start, Start::Offset(_)).then_some(7));
        let Some(last) = page.rows.last() else { break };
        start = Start::After(last.id);
        read.extend(page.rows.iter().map(|payment| payment.id));
    }
    assert_eq!(read, all);
    let by_number = repository.list_payments(PaymentFilter::default(), Start::Offset(5), 5).await.unwrap().unwrap();
    assert_eq!(by_number.rows.iter().map(|payment| payment.id).collect::<Vec<_>>(), all[5..]);
}

async fn refunds_are_listed_with_their_payment_and_order(fixture: Fixture) {
    let repository = &*fixture.repository;
    let mut all = Vec::new();
    for (seconds, status) in (0..).zip(RefundStatus::ALL) {
        let payment = insert(repository, at(10), |payment| {
            complete(payment, "USD");
            let mut refund = refund(100, *status, at(seconds));
            refund.cause = RefundCause::ALL[usize::try_from(seconds).unwrap()];
            payment.refunds = vec![refund];
        });
        let payment = payment.await;
        all.push(RefundOfPayment::new(&payment, payment.refunds[0].id).unwrap());
    }
    let list = async |filter, start| repository.list_refunds(filter, start, 2).await.unwrap().unwrap();
    let none = RefundFilter::default();
    let first = list(none, Start::Offset(0)).await;
    assert_eq!((first.rows.as_slice(), first.total), (&[all[2].clone(), all[1].clone()][..], Some(3)));
    let rest = list(none, Start::After(all[1].refund.id)).await;
    assert_eq!((rest.rows.as_slice(), rest.total), (&all[..1], None));
    for found in &all {
        let by_status = RefundFilter { status: Some(found.refund.status), ..none };
        let by_cause = RefundFilter { cause: Some(found.refund.cause), ..none };
        let created = found.refund.created_at;
        let period = Period { from: Some(created), to: Some(created + Duration::seconds(1)) };
        for filter in [by_status, by_cause, RefundFilter { period, ..none }, RefundFilter { period, ..by_status }] {
            assert_eq!(list(filter, Start::Offset(0)).await.rows, std::slice::from_ref(found), "{filter:?}");
        }
    }
}

async fn totals_are_of_one_currency_and_period(fixture: Fixture) {
    let repository = &*fixture.repository;
    payments_of_each_kind(repository).await;
    let waiting = |payment: &mut Payment| {
        complete(payment, "USD");
        let mut failed = refund(100, RefundStatus::Failed, at(20));
        failed.needs_attention = true;
        let mut manual = Refund::new(Money::from_cents(30), RefundCause::Cancelled, true, at(20));
        manual.reason = Some("cash".to_owned());
        payment.refunds = vec![failed, manual];
    };
    insert(repository, at(20), waiting).await;
    let foreign = |payment: &mut Payment| {
        complete(payment, "EUR");
        payment.refunds = vec![refund(500, RefundStatus::Succeeded, at(21))];
    };
    insert(repository, at(21), foreign).await;
    let money = Money::from_cents;
    let all = Totals { captured: money(70_000), refunded: money(24_000), open: 3, failed: 1, awaiting: money(130) };
    assert_eq!(repository.totals("USD", Period::default()).await.unwrap(), all);
    let from = Period { from: Some(at(20)), to: None };
    let late = Totals { captured: money(10_000), refunded: money(0), open: 0, failed: 0, awaiting: money(130) };
    assert_eq!(repository.totals("USD", from).await.unwrap(), late);
    let foreign = Totals { captured: money(10_000), refunded: money(500), awaiting: money(0), ..late };
    assert_eq!(repository.totals("EUR", from).await.unwrap(), foreign);
    let nothing = Totals { captured: money(0), refunded: money(0), open: 0, failed: 0, awaiting: money(0) };
    let before = Period { from: None, to: Some(T0) };
    assert_eq!(repository.totals("USD", before).await.unwrap(), nothing);
}

async fn empty_lists_have_no_rows(fixture: Fixture) {
    let repository = &*fixture.repository;
    let page = repository.list_payments(PaymentFilter::default(), Start::Offset(0), 5).await.unwrap().unwrap();
    assert_eq!((page.rows.len(), page.total), (0, Some(0)));
    let unknown = Start::After(PaymentId::generate(T0));
    assert_eq!(repository.list_payments(PaymentFilter::default(), unknown, 5).await.unwrap(), None);
    let unknown = Start::After(RefundId::generate(T0));
    assert_eq!(repository.list_refunds(RefundFilter::default(), unknown, 5).await.unwrap(), None);
}
