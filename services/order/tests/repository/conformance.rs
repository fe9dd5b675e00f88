//! Conformance suite of the repository, run on each database.

use common::database::store::StoreError;
use common::database::transaction_effects::{Effects, InboxRecord};
use contracts::api::{OrderStatus, PaymentStatus};
use contracts::{EventId, Money, PaymentId};
use order_service::domain::*;
use order_service::repository::{CONSTRAINT_ORDER_ID, CONSTRAINT_ORDER_NUMBER, OrderEffects};

use crate::cart_concurrency::*;
use crate::carts::*;
use crate::concurrency::*;
use crate::fixture::*;
use crate::lists::*;
use crate::unpaid::*;

/// Runs each test of the suite on each database.
macro_rules! suite {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    super::$name(crate::fixture::Fixture::sqlite().await.unwrap()).await;
                }
            )*
        }
        mod on_postgres {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    let Some(fixture) = crate::fixture::Fixture::postgres().await else { return };
                    super::$name(fixture).await;
                }
            )*
        }
    };
}

suite!(
    inserted_order_is_found,
    unknown_order_is_not_found,
    updated_order_is_found_with_all_changes,
    order_number_is_unique,
    order_id_is_unique,
    id_with_a_tombstone_never_becomes_an_order,
    existing_order_gets_no_tombstone,
    update_without_effects_is_rolled_back,
    effects_are_committed_with_the_change,
    repeated_message_is_rejected,
    concurrent_updates_of_one_order_are_serialized,
    pages_are_newest_first_and_disjoint,
    pages_after_an_order_contain_every_order_once,
    filters_are_combined,
    orders_are_found_by_number_address_and_name,
    orders_of_the_previous_version_are_indexed,
    orders_of_a_deleted_account_are_found_by_their_number_alone,
    summary_counts_orders_of_a_period,
    summary_amounts_are_of_one_currency_and_of_counted_captures,
    unpaid_orders_are_listed_oldest_first,
    processing_payment_extends_the_wait,
    unpaid_totals_include_orders_and_pieces_of_one_customer,
    order_above_a_limit_is_rejected_without_a_trace,
    deletion_lists_unpaid_orders_and_blocks_further_ones,
    concurrent_orders_of_a_customer_never_exceed_a_limit,
    concurrent_orders_are_never_committed_after_the_deletion_of_the_account,
    data_survives_a_restart,
    timeline_is_in_order,
    timeline_entry_may_precede_its_order,
    audit_pages_contain_every_order_once_by_id,
    either_the_order_or_its_tombstone_is_committed,
    one_of_concurrent_orders_with_one_id_is_committed,
    one_of_concurrent_orders_with_one_number_is_committed,
    concurrent_deliveries_of_a_message_are_applied_once,
    concurrent_timeline_entries_are_all_stored,
    payment_belongs_to_one_order,
    concurrent_updates_of_many_orders_do_not_deadlock,
    created_cart_is_found,
    unknown_cart_is_not_found,
    person_has_one_cart,
    lines_are_changed_in_the_current_version_only,
    lines_keep_their_order,
    claimed_cart_is_bound,
    claimed_cart_is_merged,
    dropped_lines_stay_with_the_merged_cart,
    carts_of_others_are_not_claimed,
    deleted_cart_takes_merged_ones_along,
    expired_carts_are_deleted_in_batches,
    use_of_a_cart_postpones_its_expiry,
    deletion_of_an_account_deletes_its_carts,
    order_empties_its_cart,
    order_from_a_changed_cart_leaves_no_trace,
    rejected_order_leaves_the_cart,
    concurrent_changes_of_a_cart_have_versions_of_their_own,
    one_of_concurrent_orders_from_a_cart_is_committed,
    one_of_concurrent_claims_by_persons_wins,
    concurrent_claims_and_changes_lose_no_line,
    concurrent_creations_leave_one_cart,
    concurrent_deletions_claims_and_orders_do_not_deadlock,
    claim_and_deletion_of_the_account_leave_no_cart,
);

async fn inserted_order_is_found(fixture: Fixture) {
    let order = place(&*fixture.repository, 0).await;
    assert_eq!(fixture.repository.find(order.id).await.unwrap().as_ref(), Some(&order));
    assert_eq!(fixture.repository.find_by_number(&order.number).await.unwrap().as_ref(), Some(&order));
}

async fn unknown_order_is_not_found(fixture: Fixture) {
    let repository = fixture.repository;
    let unknown = new_order_at(0).order;
    assert_eq!(repository.find(unknown.id).await.unwrap(), None);
    assert_eq!(repository.find_by_number(&unknown.number).await.unwrap(), None);
    assert_eq!(update(&*repository, unknown.id, |_| panic!("called for an unknown order")).await, None);
    assert_eq!(list(&*repository, 0, 10).await.total, Some(0));
    assert_eq!(repository.oldest_unpaid_at(false).await.unwrap(), None);
    assert_eq!(repository.unpaid_totals(unknown.user_id).await.unwrap(), UnpaidTotals::default());
    assert!(repository.mark_customer_deleted(unknown.user_id, at(0)).await.unwrap().is_empty());
    repository.ping().await.unwrap();
}

async fn updated_order_is_found_with_all_changes(fixture: Fixture) {
    let repository = fixture.repository;
    let (order, other) = (place(&*repository, 0).await, place(&*repository, 0).await);
    let changed = update(&*repository, order.id, |order| {
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
        let overtaken =
            PaymentProjection { refunds: vec![refund(1)], ..PaymentProjection::empty(PaymentId::generate(at(9))) };
        order.payments = vec![payment(4, PaymentStatus::Failed), twice, overtaken];
    });
    let changed = changed.await.unwrap();
    assert_eq!(changed.payments.len(), 3);
    assert_eq!(repository.find(order.id).await.unwrap().as_ref(), Some(&changed));
    let again = update(&*repository, order.id, |order| {
        order.payments[1].refunds.push(refund(5));
        order.payments[2].latest = payment(6, PaymentStatus::Completed).latest;
    });
    let again = again.await.unwrap();
    assert_eq!(repository.find(order.id).await.unwrap(), Some(again));
    assert_eq!(repository.find(other.id).await.unwrap(), Some(other), "other orders are unchanged");
}

async fn order_number_is_unique(fixture: Fixture) {
    let first = place(&*fixture.repository, 0).await;
    let mut second = new_order_at(0);
    let free = std::mem::replace(&mut second.order.number, first.number);
    let error = fixture
        .repository
        .insert(&second, UnpaidLimits::NONE, &order_effects(Effects::event(at(0), second.order.created_event())))
        .await
        .unwrap_err();
    assert_eq!(error.unique(), Some(CONSTRAINT_ORDER_NUMBER));
    assert_eq!(fixture.pending().await, 0);
    second.order.number = free;
    insert(&*fixture.repository, &second).await;
}

async fn order_id_is_unique(fixture: Fixture) {
    let first = place(&*fixture.repository, 0).await;
    let mut second = new_order_at(0);
    second.order.id = first.id;
    let error = fixture.repository.insert(&second, UnpaidLimits::NONE, &OrderEffects::default()).await.unwrap_err();
    assert_eq!(error.unique(), Some(CONSTRAINT_ORDER_ID));
    assert_eq!(fixture.repository.find(first.id).await.unwrap(), Some(first));
}

async fn id_with_a_tombstone_never_becomes_an_order(fixture: Fixture) {
    let (repository, abandoned) = (fixture.repository.clone(), new_order_at(0));
    for _ in 0..2 {
        assert_eq!(repository.insert_tombstone(abandoned.order.id, at(1)).await.unwrap(), None);
    }
    let error = repository
        .insert(&abandoned, UnpaidLimits::NONE, &order_effects(Effects::event(at(0), abandoned.order.created_event())))
        .await
        .unwrap_err();
    assert_eq!(error.unique(), Some(CONSTRAINT_ORDER_ID));
    assert_eq!(repository.find(abandoned.order.id).await.unwrap(), None);
    assert_eq!(fixture.pending().await, 0);
}

async fn existing_order_gets_no_tombstone(fixture: Fixture) {
    let order = place(&*fixture.repository, 0).await;
    assert_eq!(fixture.repository.insert_tombstone(order.id, at(1)).await.unwrap(), Some(OrderStatus::Pending));
    update(&*fixture.repository, order.id, |order| order.status = OrderStatus::Cancelled).await;
    assert_eq!(fixture.repository.insert_tombstone(order.id, at(1)).await.unwrap(), Some(OrderStatus::Cancelled));
}

async fn update_without_effects_is_rolled_back(fixture: Fixture) {
    let order = place(&*fixture.repository, 0).await;
    let mut reject = |order: &mut Order| {
        order.status = OrderStatus::Cancelled;
        None
    };
    assert_eq!(fixture.repository.update(order.id, &mut reject).await.unwrap().as_ref(), Some(&order));
    assert_eq!(fixture.repository.find(order.id).await.unwrap(), Some(order));
}

async fn effects_are_committed_with_the_change(fixture: Fixture) {
    let placed = new_order_at(0);
    let effects = Effects::event(at(0), placed.order.created_event());
    fixture.repository.insert(&placed, UnpaidLimits::NONE, &order_effects(effects)).await.unwrap().unwrap();
    assert_eq!(fixture.pending().await, 1);
    let mut cancel = |order: &mut Order| {
        let events = order.cancel(Actor::Customer, None, at(1)).unwrap();
        Some(order_effects(events.into_iter().fold(Effects::none(), |effects, event| effects.with_event(at(1), event))))
    };
    fixture.repository.update(placed.order.id, &mut cancel).await.unwrap();
    assert_eq!(fixture.pending().await, 2);
}

async fn repeated_message_is_rejected(fixture: Fixture) {
    let order = place(&*fixture.repository, 0).await;
    let handled = InboxRecord { consumer: "queue", event_id: EventId::generate(START) };
    let mut note = |order: &mut Order| {
        order.notes = Some(order.notes.take().unwrap_or_default() + "!");
        Some(order_effects(Effects::none().consuming(handled)))
    };
    let noted = fixture.repository.update(order.id, &mut note).await.unwrap();
    let again = fixture.repository.update(order.id, &mut note).await;
    assert!(matches!(again, Err(StoreError::AlreadyHandled)), "{again:?}");
    assert_eq!(fixture.repository.find(order.id).await.unwrap(), noted);
}

async fn data_survives_a_restart(fixture: Fixture) {
    let order = place(&*fixture.repository, 0).await;
    let abandoned = new_order_at(1);
    fixture.repository.insert_tombstone(abandoned.order.id, at(1)).await.unwrap();
    let reopened = fixture.reopen().await;
    let repository = &reopened.repository;
    assert_eq!(repository.find(order.id).await.unwrap(), Some(order));
    let error = repository.insert(&abandoned, UnpaidLimits::NONE, &OrderEffects::default()).await.unwrap_err();
    assert_eq!(error.unique(), Some(CONSTRAINT_ORDER_ID));
}

async fn timeline_is_in_order(fixture: Fixture) {
    let (repository, placed) = (&fixture.repository, new_order_at(0));
    let created = order_effects(Effects::event(at(0), placed.order.created_event()));
    repository.insert(&placed, UnpaidLimits::NONE, &created).await.unwrap().unwrap();
    let mut cancel = |order: &mut Order| {
        let events = order.cancel(Actor::Customer, Some("changed my mind".to_owned()), at(2)).unwrap();
        Some(order_effects(events.into_iter().fold(Effects::none(), |effects, event| effects.with_event(at(2), event))))
    };
    repository.update(placed.order.id, &mut cancel).await.unwrap();
    let entries = repository.timeline(placed.order.id).await.unwrap();
    assert_eq!(entries[..1], created.entries);
    let kinds: Vec<_> = entries.iter().map(|entry| entry.kind.as_str()).collect();
    assert_eq!(kinds, ["order.created", "order.cancelled"]);
    assert!(entries[1].summary.contains("changed my mind"), "{entries:?}");
    let other = place(&**repository, 5).await;
    assert_eq!(repository.timeline(other.id).await.unwrap(), []);
}

async fn timeline_entry_may_precede_its_order(fixture: Fixture) {
    let (repository, placed) = (&fixture.repository, new_order_at(0));
    let entry = TimelineEntry {
        order_id: placed.order.id,
        at: at(0),
        kind: "product.stock_reserved".to_owned(),
        summary: "Stock reserved".to_owned(),
        service: "product-service".to_owned(),
        event_id: EventId::generate(at(0)),
        trace_id: Some("0af7651916cd43dd8448eb211c80319c".to_owned()),
        data: "{}".to_owned(),
    };
    let handled = InboxRecord { consumer: "queue", event_id: entry.event_id };
    let consumed = OrderEffects { effects: Effects::none().consuming(handled), entries: vec![entry.clone()] };
    repository.append_timeline(&consumed).await.unwrap();
    let again = repository.append_timeline(&consumed).await;
    assert!(matches!(again, Err(StoreError::AlreadyHandled)), "{again:?}");
    repository.insert(&placed, UnpaidLimits::NONE, &OrderEffects::default()).await.unwrap().unwrap();
    assert_eq!(repository.timeline(placed.order.id).await.unwrap(), [entry]);
}

async fn audit_pages_contain_every_order_once_by_id(fixture: Fixture) {
    let repository = &fixture.repository;
    let mut ids = Vec::new();
    for second in 0..5 {
        ids.push(place(&**repository, second).await.id);
    }
    ids.sort_unstable();
    let (mut after, mut read) = (None, Vec::new());
    loop {
        let page = repository.audit_page(after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.order.id);
        assert_eq!((last.placed_by.as_str(), last.idempotency_key.as_deref()), ("ada", Some("key")));
        read.extend(page.into_iter().map(|audited| audited.order.id));
    }
    assert_eq!(read, ids);
}
