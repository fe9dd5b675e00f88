//! Conformance tests of concurrent operations on carts.

use contracts::{CartId, ProductId, UserId};
use futures::future::join_all;
use order_service::domain::*;
use order_service::repository::OrderEffects;

use crate::carts::{filled, found, line, order_from, quantities, random_id};
use crate::fixture::*;

/// Number of concurrent operations.
const TASKS: i64 = 12;

/// Sets a quantity in the version that is read, as often as the cart is changed in between.
async fn set(fixture: &Fixture, id: CartId, product: i64, quantity: i64) {
    loop {
        let cart = found(&*fixture.carts, id).await.unwrap();
        let change = LineChange::Set(line(product, quantity));
        if fixture.carts.change_line(cart.reference(), &change, at(1)).await.unwrap() {
            return;
        }
    }
}

pub(super) async fn concurrent_changes_of_a_cart_have_versions_of_their_own(fixture: Fixture) {
    let cart = filled(&*fixture.carts, None, &[(1, 1)]).await;
    // All change the same version: one of them does.
    let changes = (1..=TASKS).map(|quantity| {
        let change = LineChange::Set(line(1, quantity + 1));
        let (carts, version) = (fixture.carts.clone(), cart.reference());
        tokio::spawn(async move { carts.change_line(version, &change, at(1)).await.unwrap() })
    });
    let done = join_all(changes.collect::<Vec<_>>()).await.into_iter().filter(|done| *done.as_ref().unwrap()).count();
    assert_eq!((done, found(&*fixture.carts, cart.id).await.unwrap().version), (1, cart.version + 1));
    join_all((1..=TASKS).map(|product| set(&fixture, cart.id, 10 + product, product))).await;
    let changed = found(&*fixture.carts, cart.id).await.unwrap();
    assert_eq!((changed.lines.len(), changed.version), (13, cart.version + 1 + TASKS));
}

pub(super) async fn one_of_concurrent_orders_from_a_cart_is_committed(fixture: Fixture) {
    for limits in [UnpaidLimits::NONE, limits(1000, 10_000)] {
        for owner in [true, false] {
            let user = UserId::generate(at(0));
            let cart = filled(&*fixture.carts, owner.then_some(user), &[(7, 2), (3, 1)]).await;
            let before = fixture.repository.unpaid_totals(user).await.unwrap().orders;
            let orders = (0..TASKS).map(|second| {
                let (repository, placed) = (fixture.repository.clone(), order_from(user, cart.reference(), second));
                tokio::spawn(async move { repository.insert(&placed, limits, &OrderEffects::default()).await.unwrap() })
            });
            let outcomes = join_all(orders.collect::<Vec<_>>()).await;
            let (placed, rejected): (Vec<_>, Vec<_>) =
                outcomes.into_iter().map(Result::unwrap).partition(Result::is_ok);
            assert_eq!(placed.len(), 1);
            assert!(rejected.iter().all(|outcome| *outcome == Err(OrderError::CartChanged)), "{rejected:?}");
            assert_eq!(fixture.repository.unpaid_totals(user).await.unwrap().orders, before + 1);
        }
    }
}

pub(super) async fn one_of_concurrent_claims_by_persons_wins(fixture: Fixture) {
    for has_cart in [false, true] {
        let cart = filled(&*fixture.carts, None, &[(1, 2)]).await;
        let mut claims = Vec::new();
        for _ in 0..TASKS {
            let user = UserId::generate(at(0));
            if has_cart {
                filled(&*fixture.carts, Some(user), &[(2, 1)]).await;
            }
            let (carts, id) = (fixture.carts.clone(), cart.id);
            claims.push(tokio::spawn(
                async move { carts.claim(id, user, at(1)).await.unwrap().map(|found| (user, found)) },
            ));
        }
        let outcomes = join_all(claims).await;
        let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().map(Result::unwrap).partition(Result::is_ok);
        assert!(lost.iter().all(|outcome| *outcome == Err(OrderError::CartNotFound)), "{lost:?}");
        let [Ok((winner, claimed))] = &won[..] else { panic!("{won:?}") };
        assert_eq!(claimed.cart.user_id, Some(*winner));
        assert_eq!(fixture.carts.find_by_user(*winner).await.unwrap().as_ref(), Some(&claimed.cart));
    }
}

pub(super) async fn concurrent_claims_and_changes_lose_no_line(fixture: Fixture) {
    for _ in 0..5 {
        let user = UserId::generate(at(0));
        let mut ids = vec![filled(&*fixture.carts, Some(user), &[(100, 1)]).await.id];
        for product in 1..=4 {
            ids.push(filled(&*fixture.carts, None, &[(product, product)]).await.id);
        }
        let claims = ids.iter().chain(&ids).map(|id| {
            let (carts, id) = (fixture.carts.clone(), *id);
            async move { drop(carts.claim(id, user, at(1)).await.unwrap().unwrap()) }
        });
        // A change reads the cart that the id leads to.
        let changes = ids.iter().zip(11..).map(|(id, product)| set(&fixture, *id, product, 1));
        futures::join!(join_all(claims), join_all(changes));
        let mut kept = quantities(&fixture.carts.find_by_user(user).await.unwrap().unwrap());
        kept.sort_unstable();
        let expected = [(1, 1), (2, 2), (3, 3), (4, 4), (11, 1), (12, 1), (13, 1), (14, 1), (15, 1), (100, 1)];
        assert_eq!(kept, expected);
    }
}

pub(super) async fn concurrent_creations_leave_one_cart(fixture: Fixture) {
    let user = UserId::generate(at(0));
    let creations = (0..TASKS).map(|second| {
        let carts = fixture.carts.clone();
        tokio::spawn(async move { carts.create(random_id(), Some(user), at(second)).await.unwrap().unwrap() })
    });
    let created: Vec<_> = join_all(creations.collect::<Vec<_>>()).await.into_iter().map(Result::unwrap).collect();
    assert!(created.iter().all(|cart| *cart == created[0]), "{created:?}");
}

pub(super) async fn concurrent_deletions_claims_and_orders_do_not_deadlock(fixture: Fixture) {
    for second in 0..10 {
        let user = UserId::generate(at(0));
        let own = filled(&*fixture.carts, Some(user), &[(7, 2)]).await;
        let mut ids = vec![own.id];
        for product in 1..=4 {
            ids.push(filled(&*fixture.carts, None, &[(product, product)]).await.id);
        }
        // The first ones are merged already, so that a deletion takes them along while they are claimed again.
        for id in &ids[1..3] {
            fixture.carts.claim(*id, user, at(1)).await.unwrap().unwrap();
        }
        let own = fixture.carts.find_by_user(user).await.unwrap().unwrap();
        let mut tasks = Vec::new();
        for id in ids {
            let carts = fixture.carts.clone();
            tasks.push(tokio::spawn(async move { drop(carts.claim(id, user, at(2)).await.unwrap()) }));
            let carts = fixture.carts.clone();
            tasks.push(tokio::spawn(async move { assert!(carts.delete(id, Some(user)).await.is_ok()) }));
        }
        let (carts, placed) = (fixture.carts.clone(), order_from(user, own.reference(), second));
        let repository = fixture.repository.clone();
        tasks.push(tokio::spawn(async move {
            let outcome = repository.insert(&placed, limits(100, 1000), &OrderEffects::default()).await.unwrap();
            assert!(matches!(outcome, Ok(()) | Err(OrderError::CartChanged)), "{outcome:?}");
        }));
        tasks.push(tokio::spawn(async move {
            let change = LineChange::Remove(ProductId::new(7));
            carts.change_line(own.reference(), &change, at(2)).await.map(drop).unwrap();
        }));
        for task in join_all(tasks).await {
            task.unwrap();
        }
    }
}

pub(super) async fn claim_and_deletion_of_the_account_leave_no_cart(fixture: Fixture) {
    for _ in 0..10 {
        let user = UserId::generate(at(0));
        let mut tasks = Vec::new();
        for product in 1..=4 {
            let (carts, id) = (fixture.carts.clone(), filled(&*fixture.carts, None, &[(product, 1)]).await.id);
            tasks.push(tokio::spawn(async move { drop(carts.claim(id, user, at(1)).await.unwrap()) }));
            let carts = fixture.carts.clone();
            tasks.push(tokio::spawn(async move { drop(carts.create(random_id(), Some(user), at(1)).await.unwrap()) }));
        }
        fixture.repository.mark_customer_deleted(user, at(2)).await.unwrap();
        for task in join_all(tasks).await {
            task.unwrap();
        }
        assert_eq!(fixture.carts.find_by_user(user).await.unwrap(), None);
    }
}
