use common::effects::Effects;
use common::store::StoreError;
use contracts::calls::{Product, Reservation, ReservationStatus, Shortage};
use contracts::{OrderId, ProductId};
use product_service::domain::{MAX_STOCK, NewReservation, ProductChanges, Step};
use product_service::store::{Adjusted, Reserved};

use super::{Fixture, START, handled, later, line, order, silent, told};

fn wanted(order_id: OrderId, lines: &[(ProductId, i64)]) -> NewReservation {
    let lines = lines.iter().map(|(product, quantity)| line(*product, *quantity)).collect();
    NewReservation { order_id, lines, expires_at: later(900) }
}

async fn reserve(on: &Fixture, order: OrderId, lines: &[(ProductId, i64)]) -> Reserved {
    on.stores.stock.reserve(&wanted(order, lines), START, &Effects::none()).await.unwrap()
}

async fn step(on: &Fixture, order: OrderId, step: Step) -> Result<Option<Reservation>, StoreError> {
    on.stores.stock.change(order, later(1), &|_| (step, Effects::none())).await
}

pub(crate) async fn pieces_are_adjusted_within_bounds(on: Fixture) {
    let (stock, id) = (&on.stores.stock, on.product(5).await);
    let tell = |product: &Product| told(product.id);
    let Adjusted::Done(product) = stock.adjust(id, -5, later(1), &tell).await.unwrap() else { panic!("not done") };
    assert_eq!((product.stock_quantity, product.updated_at), (0, later(1)));
    assert_eq!(stock.adjust(id, -1, START, &tell).await.unwrap(), Adjusted::Short(0));
    assert!(matches!(stock.adjust(id, MAX_STOCK, START, &tell).await.unwrap(), Adjusted::Done(_)));
    assert_eq!(stock.adjust(id, 1, START, &tell).await.unwrap(), Adjusted::TooMany);
    assert_eq!(stock.adjust(ProductId::new(77), 1, START, &tell).await.unwrap(), Adjusted::Unknown);
    assert_eq!((on.left(id).await, on.pending().await), (MAX_STOCK, 2));
}

pub(crate) async fn a_reservation_is_made_once_with_its_effects(on: Fixture) {
    let (id, order) = (on.product(5).await, order());
    let made = on.stores.stock.reserve(&wanted(order, &[(id, 2)]), START, &told(id)).await.unwrap();
    let Reserved::New(made) = made else { panic!("{made:?}") };
    let expected = Reservation {
        order_id: order,
        status: ReservationStatus::Reserved,
        expires_at: Some(later(900)),
        items: vec![line(id, 2)],
    };
    assert_eq!(made, expected);
    assert_eq!(on.stores.stock.reservation(order).await.unwrap(), Some(made.clone()));
    let again = on.stores.stock.reserve(&wanted(order, &[(id, 3)]), later(5), &told(id)).await.unwrap();
    assert_eq!(again, Reserved::Existing(made));
    assert_eq!((on.left(id).await, on.pending().await), (3, 1));
}

pub(crate) async fn all_lines_are_taken_or_none(on: Fixture) {
    let (a, b, c, order) = (on.product(5).await, on.product(1).await, on.product(0).await, order());
    let short = |product_id, requested, available| Shortage { product_id, requested, available };
    let refused = reserve(&on, order, &[(a, 5), (b, 2), (c, 1)]).await;
    assert_eq!(refused, Reserved::Short(vec![short(b, 2, 1), short(c, 1, 0)]));
    let nobody = ProductId::new(77);
    assert_eq!(reserve(&on, order, &[(a, 5), (b, 2), (nobody, 1)]).await, Reserved::Unknown(vec![nobody]));
    let hide = |product: &mut Product| ProductChanges::hide().apply(product, START).then(Effects::none);
    on.stores.catalogue.change(c, &hide).await.unwrap();
    assert_eq!(reserve(&on, order, &[(a, 5), (c, 1)]).await, Reserved::Unknown(vec![c]));
    assert_eq!((on.left(a).await, on.left(b).await), (5, 1));
    assert_eq!(on.stores.stock.reservation(order).await.unwrap(), None);
}

pub(crate) async fn a_reservation_takes_its_steps_and_the_pieces_follow(on: Fixture) {
    use ReservationStatus::{Committed, Held, Released};
    for (steps, left) in [
        (&[(Step::Release, Released)][..], 5),
        (&[(Step::Hold, Held), (Step::Release, Released)], 5),
        (&[(Step::Hold, Held), (Step::Commit, Committed)], 3),
        (&[(Step::Commit, Committed), (Step::Restock, Released)], 5),
    ] {
        let (id, order) = (on.product(5).await, order());
        reserve(&on, order, &[(id, 2)]).await;
        for (next, status) in steps {
            let after = step(&on, order, *next).await.unwrap().unwrap();
            assert_eq!((after.status, after.expires_at, &after.items), (*status, None, &vec![line(id, 2)]));
            assert_eq!(on.stores.stock.reservation(order).await.unwrap(), Some(after));
        }
        assert_eq!(on.left(id).await, left, "{steps:?}");
        assert_eq!(on.stores.stock.due(later(1000), 10).await.unwrap(), []);
    }
}

pub(crate) async fn a_step_that_does_not_lead_on_is_refused(on: Fixture) {
    let (id, known) = (on.product(5).await, order());
    reserve(&on, known, &[(id, 2)]).await;
    assert!(step(&on, known, Step::Bury).await.is_err());
    // Nothing is sold: it cannot be restocked.
    assert!(step(&on, known, Step::Restock).await.is_err());
    for next in [Step::Hold, Step::Commit, Step::Release, Step::Restock] {
        assert!(step(&on, order(), next).await.is_err(), "{next:?}");
    }
    step(&on, known, Step::Release).await.unwrap();
    assert!(step(&on, known, Step::Release).await.is_err());
    assert_eq!(on.left(id).await, 5);
}

pub(crate) async fn an_order_is_buried(on: Fixture) {
    let (id, order) = (on.product(5).await, order());
    assert_eq!(step(&on, order, Step::Keep).await.unwrap(), None);
    let grave = step(&on, order, Step::Bury).await.unwrap().unwrap();
    assert_eq!((grave.status, grave.items.len()), (ReservationStatus::Released, 0));
    assert_eq!(reserve(&on, order, &[(id, 1)]).await, Reserved::Existing(grave));
    assert_eq!(on.stores.stock.next_due().await.unwrap(), None);
}

pub(crate) async fn a_message_has_its_effect_once(on: Fixture) {
    let (id, order, handled) = (on.product(5).await, order(), handled());
    reserve(&on, order, &[(id, 2)]).await;
    let hear = |next: Step| {
        let stock = on.stores.stock.clone();
        async move { stock.change(order, START, &|_| (next, told(id).handling(handled))).await }
    };
    hear(Step::Commit).await.unwrap();
    assert!(matches!(hear(Step::Restock).await, Err(StoreError::AlreadyHandled)));
    assert_eq!((on.left(id).await, on.pending().await), (3, 1));
    // Also one that changes nothing is known to have been handled.
    let other = super::handled();
    let keep = async || on.stores.stock.change(order, START, &|_| (Step::Keep, Effects::none().handling(other))).await;
    keep().await.unwrap();
    assert!(matches!(keep().await, Err(StoreError::AlreadyHandled)));
}

pub(crate) async fn what_is_due_comes_oldest_first(on: Fixture) {
    let (stock, id, orders) = (&on.stores.stock, on.product(9).await, [order(), order(), order()]);
    for (order, expires) in orders.iter().zip([30, 10, 20]) {
        let new = NewReservation { expires_at: later(expires), ..wanted(*order, &[(id, 1)]) };
        stock.reserve(&new, START, &Effects::none()).await.unwrap();
    }
    assert_eq!(stock.next_due().await.unwrap(), Some(later(10)));
    assert_eq!(stock.due(later(9), 10).await.unwrap(), []);
    assert_eq!(stock.due(later(20), 10).await.unwrap(), [(orders[1], 0), (orders[2], 0)]);
    assert_eq!(stock.due(later(30), 1).await.unwrap(), [(orders[1], 0)]);
    stock.put_off(orders[1], later(40)).await.unwrap();
    assert_eq!(stock.due(later(30), 10).await.unwrap(), [(orders[2], 0), (orders[0], 0)]);
    assert_eq!(stock.due(later(40), 10).await.unwrap().last(), Some(&(orders[1], 1)));
    let expires = stock.reservation(orders[1]).await.unwrap().unwrap().expires_at;
    assert_eq!(expires, Some(later(10)), "it only is asked about later");
    for order in orders {
        step(&on, order, Step::Hold).await.unwrap();
        stock.put_off(order, later(50)).await.unwrap();
    }
    assert_eq!(stock.next_due().await.unwrap(), None);
}

pub(crate) async fn parallel_reservations_sell_every_piece_once(on: Fixture) {
    let (a, b) = (on.product(50).await, on.product(50).await);
    let reservations = (0..64).map(|_| {
        let (stock, new) = (on.stores.stock.clone(), wanted(order(), &[(a, 1), (b, 1)]));
        tokio::spawn(async move { stock.reserve(&new, START, &Effects::none()).await.unwrap() })
    });
    let mut made = 0;
    for reservation in reservations.collect::<Vec<_>>() {
        made += i32::from(matches!(reservation.await.unwrap(), Reserved::New(_)));
    }
    assert_eq!((made, on.left(a).await, on.left(b).await), (50, 0, 0));
    let product = on.stores.stock.adjust(a, 1, START, &silent).await.unwrap();
    assert!(matches!(product, Adjusted::Done(_)));
}

pub(crate) async fn orders_that_want_the_same_products_in_another_order_do_not_block_each_other(fixture: Fixture) {
    let (one, other) = (fixture.product(100).await, fixture.product(100).await);
    let orders = (0..20).map(|number| {
        let stock = fixture.stores.stock.clone();
        let mut lines = vec![line(one, 1), line(other, 1)];
        if number % 2 == 0 {
            lines.reverse();
        }
        tokio::spawn(async move {
            let new = NewReservation { order_id: order(), lines, expires_at: later(60) };
            let reserved = stock.reserve(&new, START, &Effects::none()).await;
            assert!(matches!(reserved, Ok(Reserved::New(_))), "{reserved:?}");
        })
    });
    for order in orders.collect::<Vec<_>>() {
        order.await.unwrap();
    }
    assert_eq!((fixture.left(one).await, fixture.left(other).await), (80, 80));
}

pub(crate) async fn of_a_reservation_and_its_tombstone_one_wins(fixture: Fixture) {
    let product = fixture.product(1000).await;
    for _ in 0..20 {
        let id = order();
        let (reserving, burying) = (fixture.stores.stock.clone(), fixture.stores.stock.clone());
        let reserve = tokio::spawn(async move {
            let new = NewReservation { order_id: id, lines: vec![line(product, 1)], expires_at: later(60) };
            reserving.reserve(&new, START, &Effects::none()).await.unwrap()
        });
        let cancel = tokio::spawn(async move {
            let decide = |known: Option<&Reservation>| {
                (if known.is_some() { Step::Release } else { Step::Bury }, Effects::none())
            };
            burying.change(id, START, &decide).await.unwrap()
        });
        let (reserved, cancelled) = (reserve.await.unwrap(), cancel.await.unwrap());
        assert!(cancelled.is_some(), "it is released or buried");
        let now = fixture.stores.stock.reservation(id).await.unwrap().unwrap();
        assert_eq!(now.status, ReservationStatus::Released, "{reserved:?}");
    }
    assert_eq!(fixture.left(product).await, 1000, "nothing is held for orders that were given up");
}

pub(crate) async fn an_audit_has_the_pieces_of_every_product(fixture: Fixture) {
    let mut ids = Vec::new();
    for pieces in 1..=5 {
        ids.push(fixture.product(pieces).await);
    }
    let new = NewReservation { order_id: order(), lines: vec![line(ids[4], 2)], expires_at: later(60) };
    fixture.stores.stock.reserve(&new, START, &Effects::none()).await.unwrap();
    let (mut after, mut read) = (None, Vec::new());
    loop {
        let page = fixture.stores.stock.audit(after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        read.extend(page);
    }
    assert_eq!(read.iter().map(|product| product.id).collect::<Vec<_>>(), ids);
    let last = &read[4];
    assert_eq!((last.initial, last.available, last.reserved, last.sold, last.expiring), (5, 3, 2, 0, 2));
    assert_eq!((read[0].initial, read[0].available, read[0].reserved, read[0].expiring), (1, 1, 0, 0));
}
