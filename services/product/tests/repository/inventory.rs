use common::database::store::StoreError;
use common::database::transaction_effects::Effects;
use contracts::api::{Product, Reservation, ReservationStatus, Shortage};
use contracts::{Actor, OrderId, ProductId};
use product_service::domain::{MAX_STOCK, NewAdjustment, NewReservation, ReservationAction, StockAdjustment};
use product_service::repository::{AdjustOutcome, ReserveOutcome};

use crate::support::{
    Fixture, START, adjustment, deactivation, inbox_record, later, line, no_effects, order, page, some_event,
};

fn new_reservation(order_id: OrderId, lines: &[(ProductId, i64)]) -> NewReservation {
    let lines = lines.iter().map(|(product, quantity)| line(*product, *quantity)).collect();
    NewReservation { order_id, lines, expires_at: later(900) }
}

async fn reserve(fixture: &Fixture, order: OrderId, lines: &[(ProductId, i64)]) -> ReserveOutcome {
    fixture.inventory.reserve(&new_reservation(order, lines), START, &Effects::none()).await.unwrap()
}

async fn apply(
    fixture: &Fixture,
    order: OrderId,
    action: ReservationAction,
) -> Result<Option<Reservation>, StoreError> {
    fixture.inventory.update(order, later(1), &|_| (action, Effects::none())).await
}

pub(crate) async fn adjustment_stays_within_bounds(fixture: Fixture) {
    let (inventory, id) = (&fixture.inventory, fixture.product(5).await);
    let effects = |product: &Product| some_event(product.id);
    let AdjustOutcome::Adjusted(product) = inventory.adjust(id, &adjustment(-5), later(1), &effects).await.unwrap()
    else {
        panic!("not adjusted")
    };
    assert_eq!((product.stock_quantity, product.updated_at), (0, later(1)));
    assert_eq!(inventory.adjust(id, &adjustment(-1), START, &effects).await.unwrap(), AdjustOutcome::Insufficient(0));
    assert!(matches!(
        inventory.adjust(id, &adjustment(MAX_STOCK), START, &effects).await.unwrap(),
        AdjustOutcome::Adjusted(_)
    ));
    assert_eq!(inventory.adjust(id, &adjustment(1), START, &effects).await.unwrap(), AdjustOutcome::LimitExceeded);
    assert_eq!(
        inventory.adjust(ProductId::new(77), &adjustment(1), START, &effects).await.unwrap(),
        AdjustOutcome::NotFound
    );
    assert_eq!((fixture.available(id).await, fixture.pending().await), (MAX_STOCK, 2));
}

pub(crate) async fn adjustments_are_recorded_with_reason_and_actor(fixture: Fixture) {
    let (inventory, id, other) = (&fixture.inventory, fixture.product(5).await, fixture.product(5).await);
    let all = [
        NewAdjustment { quantity: 3, reason: Some("Delivery".to_owned()), actor: Actor::Admin("ada".to_owned()) },
        NewAdjustment { quantity: -8, reason: None, actor: Actor::Service("warehouse".to_owned()) },
    ];
    for (seconds, new) in (1..).zip(&all) {
        inventory.adjust(id, new, later(seconds), &no_effects).await.unwrap();
    }
    // A rejected adjustment leaves no record.
    inventory.adjust(id, &adjustment(-1), later(3), &no_effects).await.unwrap();
    inventory.adjust(other, &adjustment(1), later(3), &no_effects).await.unwrap();
    let found = inventory.adjustments(id, page(0, 1)).await.unwrap().unwrap();
    assert_eq!((found.total_elements, found.total_pages), (2, 2));
    let second = inventory.adjustments(id, page(1, 1)).await.unwrap().unwrap();
    let expected = |at: usize, seconds| {
        let NewAdjustment { quantity, reason, actor } = all[at].clone();
        StockAdjustment { id: i64::try_from(at).unwrap() + 1, quantity, reason, actor, created_at: later(seconds) }
    };
    assert_eq!([&found.data[..], &second.data].concat(), [expected(1, 2), expected(0, 1)]);
    assert_eq!(inventory.adjustments(ProductId::new(77), page(0, 1)).await.unwrap(), None);
}

pub(crate) async fn reservation_is_created_once_with_its_effects(fixture: Fixture) {
    let (id, order) = (fixture.product(5).await, order());
    let made = fixture.inventory.reserve(&new_reservation(order, &[(id, 2)]), START, &some_event(id)).await.unwrap();
    let ReserveOutcome::Created(made) = made else { panic!("{made:?}") };
    let expected = Reservation {
        order_id: order,
        status: ReservationStatus::Reserved,
        expires_at: Some(later(900)),
        items: vec![line(id, 2)],
    };
    assert_eq!(made, expected);
    assert_eq!(fixture.inventory.find_reservation(order).await.unwrap(), Some(made.clone()));
    let again =
        fixture.inventory.reserve(&new_reservation(order, &[(id, 3)]), later(5), &some_event(id)).await.unwrap();
    assert_eq!(again, ReserveOutcome::Existing(made));
    assert_eq!((fixture.available(id).await, fixture.pending().await), (3, 1));
}

pub(crate) async fn reservation_covers_all_lines_or_none(fixture: Fixture) {
    let (a, b, c, order) = (fixture.product(5).await, fixture.product(1).await, fixture.product(0).await, order());
    let short = |product_id, requested, available| Shortage { product_id, requested, available };
    let rejected = reserve(&fixture, order, &[(a, 5), (b, 2), (c, 1)]).await;
    assert_eq!(rejected, ReserveOutcome::Insufficient(vec![short(b, 2, 1), short(c, 1, 0)]));
    let unknown = ProductId::new(77);
    assert_eq!(
        reserve(&fixture, order, &[(a, 5), (b, 2), (unknown, 1)]).await,
        ReserveOutcome::ProductsNotFound(vec![unknown])
    );
    fixture.products.update(c, &deactivation).await.unwrap();
    assert_eq!(reserve(&fixture, order, &[(a, 5), (c, 1)]).await, ReserveOutcome::ProductsNotFound(vec![c]));
    assert_eq!((fixture.available(a).await, fixture.available(b).await), (5, 1));
    assert_eq!(fixture.inventory.find_reservation(order).await.unwrap(), None);
}

pub(crate) async fn stock_follows_the_actions_of_a_reservation(fixture: Fixture) {
    use ReservationStatus::{Committed, Held, Released};
    for (actions, available) in [
        (&[(ReservationAction::Release, Released)][..], 5),
        (&[(ReservationAction::Hold, Held), (ReservationAction::Release, Released)], 5),
        (&[(ReservationAction::Hold, Held), (ReservationAction::Commit, Committed)], 3),
        (&[(ReservationAction::Commit, Committed), (ReservationAction::Restock, Released)], 5),
    ] {
        let (id, order) = (fixture.product(5).await, order());
        reserve(&fixture, order, &[(id, 2)]).await;
        for (action, status) in actions {
            let after = apply(&fixture, order, *action).await.unwrap().unwrap();
            assert_eq!((after.status, after.expires_at, &after.items), (*status, None, &vec![line(id, 2)]));
            assert_eq!(fixture.inventory.find_reservation(order).await.unwrap(), Some(after));
        }
        assert_eq!(fixture.available(id).await, available, "{actions:?}");
        assert_eq!(fixture.inventory.list_due(later(1000), 10).await.unwrap(), []);
    }
}

pub(crate) async fn unexpected_action_is_rejected(fixture: Fixture) {
    let (id, known) = (fixture.product(5).await, order());
    reserve(&fixture, known, &[(id, 2)]).await;
    assert!(apply(&fixture, known, ReservationAction::Tombstone).await.is_err());
    // Restocking requires sold stock.
    assert!(apply(&fixture, known, ReservationAction::Restock).await.is_err());
    for action in [
        ReservationAction::Hold,
        ReservationAction::Commit,
        ReservationAction::Release,
        ReservationAction::Expire,
        ReservationAction::Restock,
    ] {
        assert!(apply(&fixture, order(), action).await.is_err(), "{action:?}");
    }
    apply(&fixture, known, ReservationAction::Release).await.unwrap();
    assert!(apply(&fixture, known, ReservationAction::Release).await.is_err());
    assert_eq!(fixture.available(id).await, 5);
}

pub(crate) async fn tombstone_prevents_a_reservation(fixture: Fixture) {
    let (id, order) = (fixture.product(5).await, order());
    assert_eq!(apply(&fixture, order, ReservationAction::Keep).await.unwrap(), None);
    let tombstone = apply(&fixture, order, ReservationAction::Tombstone).await.unwrap().unwrap();
    assert_eq!((tombstone.status, tombstone.items.len()), (ReservationStatus::Released, 0));
    assert_eq!(reserve(&fixture, order, &[(id, 1)]).await, ReserveOutcome::Existing(tombstone));
    assert_eq!(fixture.inventory.next_due_at().await.unwrap(), None);
}

pub(crate) async fn message_has_its_effect_once(fixture: Fixture) {
    let (id, order, record) = (fixture.product(5).await, order(), inbox_record());
    reserve(&fixture, order, &[(id, 2)]).await;
    let handle = |action: ReservationAction| {
        let inventory = fixture.inventory.clone();
        async move { inventory.update(order, START, &|_| (action, some_event(id).consuming(record))).await }
    };
    handle(ReservationAction::Commit).await.unwrap();
    assert!(matches!(handle(ReservationAction::Restock).await, Err(StoreError::AlreadyHandled)));
    assert_eq!((fixture.available(id).await, fixture.pending().await), (3, 1));
    // A message without a change is recorded as well.
    let other = inbox_record();
    let keep = async || {
        fixture.inventory.update(order, START, &|_| (ReservationAction::Keep, Effects::none().consuming(other))).await
    };
    keep().await.unwrap();
    assert!(matches!(keep().await, Err(StoreError::AlreadyHandled)));
}

pub(crate) async fn due_reservations_are_listed_oldest_first(fixture: Fixture) {
    let (inventory, id, orders) = (&fixture.inventory, fixture.product(9).await, [order(), order(), order()]);
    for (order, expires) in orders.iter().zip([30, 10, 20]) {
        let new = NewReservation { expires_at: later(expires), ..new_reservation(*order, &[(id, 1)]) };
        inventory.reserve(&new, START, &Effects::none()).await.unwrap();
    }
    assert_eq!(inventory.next_due_at().await.unwrap(), Some(later(10)));
    assert_eq!(inventory.list_due(later(9), 10).await.unwrap(), []);
    assert_eq!(inventory.list_due(later(20), 10).await.unwrap(), [(orders[1], 0), (orders[2], 0)]);
    assert_eq!(inventory.list_due(later(30), 1).await.unwrap(), [(orders[1], 0)]);
    inventory.postpone(orders[1], later(40)).await.unwrap();
    assert_eq!(inventory.list_due(later(30), 10).await.unwrap(), [(orders[2], 0), (orders[0], 0)]);
    assert_eq!(inventory.list_due(later(40), 10).await.unwrap().last(), Some(&(orders[1], 1)));
    let expires = inventory.find_reservation(orders[1]).await.unwrap().unwrap().expires_at;
    assert_eq!(expires, Some(later(10)), "a postponement keeps the time of expiry");
    for order in orders {
        apply(&fixture, order, ReservationAction::Hold).await.unwrap();
        inventory.postpone(order, later(50)).await.unwrap();
    }
    assert_eq!(inventory.next_due_at().await.unwrap(), None);
}

pub(crate) async fn concurrent_reservations_never_oversell(fixture: Fixture) {
    let (a, b) = (fixture.product(50).await, fixture.product(50).await);
    let reservations = (0..64).map(|_| {
        let (inventory, new) = (fixture.inventory.clone(), new_reservation(order(), &[(a, 1), (b, 1)]));
        tokio::spawn(async move { inventory.reserve(&new, START, &Effects::none()).await.unwrap() })
    });
    let mut created = 0;
    for reservation in reservations.collect::<Vec<_>>() {
        created += i32::from(matches!(reservation.await.unwrap(), ReserveOutcome::Created(_)));
    }
    assert_eq!((created, fixture.available(a).await, fixture.available(b).await), (50, 0, 0));
    let product = fixture.inventory.adjust(a, &adjustment(1), START, &no_effects).await.unwrap();
    assert!(matches!(product, AdjustOutcome::Adjusted(_)));
}

pub(crate) async fn reservations_of_the_same_products_do_not_deadlock(fixture: Fixture) {
    let (one, other) = (fixture.product(100).await, fixture.product(100).await);
    let orders = (0..20).map(|number| {
        let inventory = fixture.inventory.clone();
        let mut lines = vec![line(one, 1), line(other, 1)];
        if number % 2 == 0 {
            lines.reverse();
        }
        tokio::spawn(async move {
            let new = NewReservation { order_id: order(), lines, expires_at: later(60) };
            let reserved = inventory.reserve(&new, START, &Effects::none()).await;
            assert!(matches!(reserved, Ok(ReserveOutcome::Created(_))), "{reserved:?}");
        })
    });
    for order in orders.collect::<Vec<_>>() {
        order.await.unwrap();
    }
    assert_eq!((fixture.available(one).await, fixture.available(other).await), (80, 80));
}

pub(crate) async fn reservation_and_tombstone_exclude_each_other(fixture: Fixture) {
    let product = fixture.product(1000).await;
    for _ in 0..20 {
        let id = order();
        let (reserving, cancelling) = (fixture.inventory.clone(), fixture.inventory.clone());
        let reserve = tokio::spawn(async move {
            let new = NewReservation { order_id: id, lines: vec![line(product, 1)], expires_at: later(60) };
            reserving.reserve(&new, START, &Effects::none()).await.unwrap()
        });
        let cancel = tokio::spawn(async move {
            let decide = |current: Option<&Reservation>| {
                let action = current.map_or(ReservationAction::Tombstone, |_| ReservationAction::Release);
                (action, Effects::none())
            };
            cancelling.update(id, START, &decide).await.unwrap()
        });
        let (reserved, cancelled) = (reserve.await.unwrap(), cancel.await.unwrap());
        assert!(cancelled.is_some(), "the order has a reservation or a tombstone");
        let now = fixture.inventory.find_reservation(id).await.unwrap().unwrap();
        assert_eq!(now.status, ReservationStatus::Released, "{reserved:?}");
    }
    assert_eq!(fixture.available(product).await, 1000, "cancelled orders hold no stock");
}

pub(crate) async fn audit_pages_cover_every_product(fixture: Fixture) {
    let mut ids = Vec::new();
    for stock in 1..=5 {
        ids.push(fixture.product(stock).await);
    }
    let new = NewReservation { order_id: order(), lines: vec![line(ids[4], 2)], expires_at: later(60) };
    fixture.inventory.reserve(&new, START, &Effects::none()).await.unwrap();
    let (mut after, mut read) = (None, Vec::new());
    loop {
        let page = fixture.inventory.audit_page(after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        read.extend(page);
    }
    assert_eq!(read.iter().map(|product| product.id).collect::<Vec<_>>(), ids);
    let last = &read[4];
    assert_eq!((last.initial, last.available, last.reserved, last.sold, last.expiring), (5, 3, 2, 0, 2));
    assert_eq!((read[0].initial, read[0].available, read[0].reserved, read[0].expiring), (1, 1, 0, 0));
}
