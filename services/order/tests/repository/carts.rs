//! Conformance tests of carts.

use common::database::transaction_effects::Effects;
use contracts::{CartId, Money, ProductId, UserId};
use order_service::domain::*;
use order_service::repository::{CONSTRAINT_ORDER_NUMBER, CartExpiry, CartRepository, OrderEffects};

use crate::fixture::*;

const DAY: i64 = 24 * 3600;

pub(super) fn random_id() -> CartId {
    // The low bits of an order's id are random.
    let mut bytes = *contracts::OrderId::generate(START).as_uuid().as_bytes();
    bytes.rotate_left(8);
    CartId::from_random_bytes(bytes)
}

pub(super) fn line(product: i64, quantity: i64) -> CartLine {
    CartLine {
        product_id: ProductId::new(product),
        quantity,
        product_name: format!("Product {product} ✓"),
        product_sku: (product % 2 == 0).then(|| format!("SKU-{product}")),
        unit_price: Money::from_cents(1_234),
    }
}

pub(super) fn quantities(cart: &Cart) -> Vec<(i64, i64)> {
    cart.lines.iter().map(|line| (line.product_id.get(), line.quantity)).collect()
}

/// Creates a cart with these products and quantities.
pub(super) async fn filled(carts: &dyn CartRepository, user: Option<UserId>, lines: &[(i64, i64)]) -> Cart {
    let mut cart = carts.create(random_id(), user, at(0)).await.unwrap().unwrap();
    for (product, quantity) in lines {
        let change = LineChange::Set(line(*product, *quantity));
        assert!(carts.change_line(cart.reference(), &change, at(0)).await.unwrap());
        cart.apply(&change, at(0)).unwrap();
    }
    cart
}

pub(super) async fn found(carts: &dyn CartRepository, id: CartId) -> Option<Cart> {
    carts.find(id).await.unwrap().map(|found| found.cart)
}

fn person(seed: i64) -> UserId {
    UserId::generate(at(seed))
}

/// Returns an order of a person from this version of a cart.
pub(super) fn order_from(user: UserId, cart: CartVersion, second: i64) -> NewOrder {
    NewOrder { cart: Some(cart), ..new_order_of(user, second) }
}

fn created(new_order: &NewOrder) -> OrderEffects {
    order_effects(Effects::event(new_order.order.created_at, new_order.order.created_event()))
}

pub(super) async fn created_cart_is_found(fixture: Fixture) {
    let carts = &*fixture.carts;
    let (unclaimed, user) = (filled(carts, None, &[]).await, person(1));
    assert_eq!((unclaimed.version, unclaimed.user_id, unclaimed.updated_at), (1, None, at(0)));
    let own = filled(carts, Some(user), &[(2, 5), (1, 1)]).await;
    for cart in [&unclaimed, &own] {
        assert_eq!(carts.find(cart.id).await.unwrap(), Some(cart.clone().into()));
    }
    assert_eq!(carts.find_by_user(user).await.unwrap(), Some(own));
}

pub(super) async fn unknown_cart_is_not_found(fixture: Fixture) {
    let carts = &*fixture.carts;
    let (id, user) = (random_id(), person(1));
    assert_eq!((carts.find(id).await.unwrap(), carts.find_by_user(user).await.unwrap()), (None, None));
    assert!(!carts.change_line(CartVersion { id, version: 1 }, &LineChange::Set(line(1, 1)), at(0)).await.unwrap());
    assert_eq!(carts.claim(id, user, at(0)).await.unwrap(), Err(OrderError::CartNotFound));
    assert!(!carts.delete(id, Some(user)).await.unwrap() && !carts.delete(id, None).await.unwrap());
    carts.record_use(id, at(0)).await.unwrap();
}

pub(super) async fn person_has_one_cart(fixture: Fixture) {
    let carts = &*fixture.carts;
    let (user, other) = (person(1), person(2));
    let cart = filled(carts, Some(user), &[(1, 2)]).await;
    assert_eq!(carts.create(random_id(), Some(user), at(9)).await.unwrap(), Ok(cart.clone()));
    let others = carts.create(random_id(), Some(other), at(9)).await.unwrap().unwrap();
    assert_ne!(others.id, cart.id);
    assert!(carts.delete(cart.id, Some(user)).await.unwrap());
    assert_ne!(filled(carts, Some(user), &[]).await.id, cart.id);
}

pub(super) async fn lines_are_changed_in_the_current_version_only(fixture: Fixture) {
    let carts = &*fixture.carts;
    let cart = filled(carts, None, &[(1, 2), (2, 1)]).await;
    let old = CartVersion { version: cart.version - 1, ..cart.reference() };
    let change = LineChange::Set(line(1, 7));
    assert!(!carts.change_line(old, &change, at(5)).await.unwrap());
    assert_eq!(found(carts, cart.id).await.as_ref(), Some(&cart));
    let mut expected = cart.clone();
    for (second, change) in [(5, change), (6, LineChange::Remove(ProductId::new(2))), (7, LineChange::Set(line(4, 1)))]
    {
        assert!(carts.change_line(expected.reference(), &change, at(second)).await.unwrap());
        expected.apply(&change, at(second)).unwrap();
        assert_eq!(found(carts, cart.id).await.as_ref(), Some(&expected));
    }
}

pub(super) async fn lines_keep_their_order(fixture: Fixture) {
    let carts = &*fixture.carts;
    let cart = filled(carts, None, &[(9, 1), (3, 1), (7, 1), (3, 4)]).await;
    assert_eq!(quantities(&found(carts, cart.id).await.unwrap()), [(9, 1), (3, 4), (7, 1)]);
    let fixture = fixture.reopen().await;
    assert_eq!(found(&*fixture.carts, cart.id).await, Some(cart));
}

pub(super) async fn claimed_cart_is_bound(fixture: Fixture) {
    let carts = &*fixture.carts;
    let (cart, user) = (filled(carts, None, &[(1, 2)]).await, person(1));
    let claimed = carts.claim(cart.id, user, at(5)).await.unwrap().unwrap();
    let expected =
        Cart { user_id: Some(user), version: cart.version + 1, updated_at: at(5), used_at: at(5), ..cart.clone() };
    assert_eq!(claimed, expected.into());
    assert_eq!(carts.find(cart.id).await.unwrap().as_ref(), Some(&claimed));
    assert_eq!(carts.claim(cart.id, user, at(9)).await.unwrap().as_ref(), Ok(&claimed));
    assert_eq!(carts.find_by_user(user).await.unwrap(), Some(claimed.cart));
    // A change that was prepared before is of another version.
    assert!(!carts.change_line(cart.reference(), &LineChange::Set(line(1, 1)), at(9)).await.unwrap());
}

pub(super) async fn claimed_cart_is_merged(fixture: Fixture) {
    let carts = &*fixture.carts;
    let user = person(1);
    let (own, cart) =
        (filled(carts, Some(user), &[(1, 2), (2, 5)]).await, filled(carts, None, &[(3, 1), (2, 3), (1, 4)]).await);
    let mut expected = own.clone();
    expected.merge(cart.lines.clone(), at(5));
    let merged = carts.claim(cart.id, user, at(5)).await.unwrap().unwrap();
    assert_eq!(merged, expected.clone().into());
    for id in [own.id, cart.id] {
        assert_eq!(carts.find(id).await.unwrap().as_ref(), Some(&merged));
    }
    let again = carts.claim(cart.id, user, at(9)).await.unwrap().unwrap().cart;
    assert_eq!((&again.lines, again.version, again.updated_at), (&expected.lines, expected.version, at(5)));
    // Neither the merged cart nor a version from before the merge can be changed.
    let raised = CartVersion { id: cart.id, version: cart.version + 1 };
    for version in [cart.reference(), raised, own.reference()] {
        assert!(!carts.change_line(version, &LineChange::Set(line(8, 1)), at(9)).await.unwrap());
    }
    assert_eq!(carts.find_by_user(user).await.unwrap().unwrap().lines, expected.lines);
}

pub(super) async fn dropped_lines_stay_with_the_merged_cart(fixture: Fixture) {
    let carts = &*fixture.carts;
    let user = person(1);
    let lines: Vec<_> = (1..=49).map(|product| (product, 1)).collect();
    let own = filled(carts, Some(user), &lines).await;
    let cart = filled(carts, None, &[(60, 1), (61, 2), (7, 5), (62, 3)]).await;
    let merged = carts.claim(cart.id, user, at(5)).await.unwrap().unwrap();
    assert_eq!(merged.dropped, [line(61, 2), line(62, 3)]);
    assert_eq!(merged.cart.lines.len(), 50);
    assert_eq!(carts.claim(cart.id, user, at(5)).await.unwrap(), Ok(merged.clone()));
    assert_eq!(carts.find(cart.id).await.unwrap().as_ref(), Some(&merged));
    assert_eq!(carts.find(own.id).await.unwrap(), Some(merged.cart.into()));
}

pub(super) async fn carts_of_others_are_not_claimed(fixture: Fixture) {
    let carts = &*fixture.carts;
    let (owner, other) = (person(1), person(2));
    let (own, merged) = (filled(carts, Some(owner), &[(1, 2)]).await, filled(carts, None, &[(2, 1)]).await);
    let others = filled(carts, Some(other), &[(3, 1)]).await;
    carts.claim(merged.id, owner, at(5)).await.unwrap().unwrap();
    let before = found(carts, own.id).await;
    for id in [own.id, merged.id] {
        assert_eq!(carts.claim(id, other, at(6)).await.unwrap(), Err(OrderError::CartNotFound));
        assert!(!carts.delete(id, Some(other)).await.unwrap() && !carts.delete(id, None).await.unwrap());
    }
    assert_eq!((found(carts, own.id).await, found(carts, others.id).await), (before, Some(others)));
}

pub(super) async fn deleted_cart_takes_merged_ones_along(fixture: Fixture) {
    let carts = &*fixture.carts;
    let user = person(1);
    for by_merged in [false, true] {
        let (own, merged) = (filled(carts, Some(user), &[(1, 2)]).await, filled(carts, None, &[(2, 1)]).await);
        carts.claim(merged.id, user, at(5)).await.unwrap().unwrap();
        assert!(carts.delete(if by_merged { merged.id } else { own.id }, Some(user)).await.unwrap());
        for id in [own.id, merged.id] {
            assert_eq!(carts.find(id).await.unwrap(), None);
            assert_eq!(carts.claim(id, user, at(6)).await.unwrap(), Err(OrderError::CartNotFound));
        }
    }
    let unclaimed = filled(carts, None, &[(1, 2)]).await;
    assert!(carts.delete(unclaimed.id, None).await.unwrap());
    let unclaimed = filled(carts, None, &[(1, 2)]).await;
    assert!(carts.delete(unclaimed.id, Some(user)).await.unwrap());
    assert_eq!(carts.find(unclaimed.id).await.unwrap(), None);
}

pub(super) async fn expired_carts_are_deleted_in_batches(fixture: Fixture) {
    let carts = &*fixture.carts;
    let user = person(1);
    let mut unused = Vec::new();
    for _ in 0..5 {
        unused.push(filled(carts, None, &[(1, 2)]).await.id);
    }
    let (own, merged) = (filled(carts, Some(user), &[]).await, filled(carts, None, &[(2, 1)]).await);
    let unfilled = filled(carts, None, &[]).await;
    carts.claim(merged.id, user, at(7)).await.unwrap().unwrap();
    let none = CartExpiry { used: at(-1), unfilled: at(-1), merged: at(6) };
    assert_eq!(carts.delete_expired(none, 100).await.unwrap(), 0);
    assert_eq!(carts.delete_expired(CartExpiry { unfilled: at(0), ..none }, 100).await.unwrap(), 1);
    assert_eq!(found(carts, unfilled.id).await, None, "a person's empty cart stays");
    assert_eq!(carts.delete_expired(CartExpiry { used: at(0), ..none }, 3).await.unwrap(), 3);
    assert_eq!(carts.delete_expired(CartExpiry { used: at(6), ..none }, 100).await.unwrap(), 2);
    for id in unused {
        assert_eq!(found(carts, id).await, None);
    }
    // A survivor is not deleted before the carts that were merged into it.
    assert_eq!(carts.delete_expired(CartExpiry { used: at(7), ..none }, 100).await.unwrap(), 0);
    assert_eq!(found(carts, merged.id).await.unwrap().id, own.id);
    assert_eq!(carts.delete_expired(CartExpiry { merged: at(7), ..none }, 100).await.unwrap(), 1);
    assert_eq!(found(carts, merged.id).await, None);
    assert_eq!(found(carts, own.id).await.unwrap().id, own.id);
    assert_eq!(carts.delete_expired(CartExpiry { used: at(7), ..none }, 100).await.unwrap(), 1);
    assert_eq!(found(carts, own.id).await, None);
}

pub(super) async fn use_of_a_cart_postpones_its_expiry(fixture: Fixture) {
    let carts = &*fixture.carts;
    let cart = filled(carts, None, &[(1, 2)]).await;
    carts.record_use(cart.id, at(DAY)).await.unwrap();
    carts.record_use(cart.id, at(5)).await.unwrap();
    assert_eq!(found(carts, cart.id).await, Some(Cart { used_at: at(DAY), ..cart }), "the latest use counts");
    let expiry = |used| CartExpiry { used, unfilled: at(0), merged: at(0) };
    assert_eq!(carts.delete_expired(expiry(at(DAY - 1)), 100).await.unwrap(), 0);
    assert_eq!(carts.delete_expired(expiry(at(DAY)), 100).await.unwrap(), 1);
}

pub(super) async fn deletion_of_an_account_deletes_its_carts(fixture: Fixture) {
    let carts = &*fixture.carts;
    let (user, other) = (person(1), person(2));
    let (own, merged) = (filled(carts, Some(user), &[(1, 2)]).await, filled(carts, None, &[(2, 1)]).await);
    carts.claim(merged.id, user, at(5)).await.unwrap().unwrap();
    let (others, unclaimed) = (filled(carts, Some(other), &[(1, 1)]).await, filled(carts, None, &[(1, 1)]).await);
    for _ in 0..2 {
        fixture.repository.mark_customer_deleted(user, at(6)).await.unwrap();
    }
    assert_eq!((found(carts, own.id).await, found(carts, merged.id).await), (None, None));
    assert_eq!(carts.create(random_id(), Some(user), at(7)).await.unwrap(), Err(OrderError::AccountDeleted));
    assert_eq!(carts.claim(unclaimed.id, user, at(7)).await.unwrap(), Err(OrderError::AccountDeleted));
    assert_eq!(found(carts, others.id).await, Some(others));
    assert_eq!(found(carts, unclaimed.id).await, Some(unclaimed));
}

pub(super) async fn order_empties_its_cart(fixture: Fixture) {
    let carts = &*fixture.carts;
    let user = person(1);
    for owner in [Some(user), None] {
        let cart = filled(carts, owner, &[(7, 2), (3, 1)]).await;
        let placed = order_from(user, cart.reference(), 9);
        fixture.repository.insert(&placed, UnpaidLimits::NONE, &created(&placed)).await.unwrap().unwrap();
        assert_eq!(fixture.repository.find(placed.order.id).await.unwrap(), Some(placed.order));
        let expected = Cart { lines: Vec::new(), version: cart.version + 1, updated_at: at(9), used_at: at(9), ..cart };
        assert_eq!(found(carts, expected.id).await, Some(expected));
    }
}

pub(super) async fn order_from_a_changed_cart_leaves_no_trace(fixture: Fixture) {
    let carts = &*fixture.carts;
    let (user, other) = (person(1), person(2));
    let own = filled(carts, Some(user), &[(7, 2)]).await;
    let (merged, foreign) = (filled(carts, None, &[(3, 1)]).await, filled(carts, Some(other), &[(7, 2)]).await);
    carts.claim(merged.id, user, at(5)).await.unwrap().unwrap();
    let before = (found(carts, own.id).await, found(carts, foreign.id).await);
    let raised = CartVersion { id: merged.id, version: merged.version + 1 };
    let unknown = CartVersion { id: random_id(), version: 1 };
    for cart in [own.reference(), merged.reference(), raised, foreign.reference(), unknown] {
        for limits in [UnpaidLimits::NONE, limits(10, 100)] {
            let placed = order_from(user, cart, 9);
            let outcome = fixture.repository.insert(&placed, limits, &created(&placed)).await.unwrap();
            assert_eq!(outcome, Err(OrderError::CartChanged));
            assert_eq!(fixture.repository.find(placed.order.id).await.unwrap(), None);
            assert!(fixture.repository.timeline(placed.order.id).await.unwrap().is_empty());
        }
    }
    assert_eq!(fixture.pending().await, 0);
    assert_eq!((found(carts, own.id).await, found(carts, foreign.id).await), before);
}

pub(super) async fn rejected_order_leaves_the_cart(fixture: Fixture) {
    let carts = &*fixture.carts;
    let user = person(1);
    let cart = filled(carts, Some(user), &[(7, 2), (3, 1)]).await;
    let existing = insert(&*fixture.repository, &new_order_of(user, 0)).await;
    let mut placed = order_from(user, cart.reference(), 9);
    let free = std::mem::replace(&mut placed.order.number, existing.number);
    let taken = fixture.repository.insert(&placed, UnpaidLimits::NONE, &created(&placed)).await.unwrap_err();
    assert_eq!(taken.unique(), Some(CONSTRAINT_ORDER_NUMBER));
    let outcome = fixture.repository.insert(&placed, limits(1, 0), &created(&placed)).await.unwrap();
    assert!(matches!(outcome, Err(OrderError::TooManyUnpaidOrders { .. })), "{outcome:?}");
    assert_eq!(found(carts, cart.id).await.as_ref(), Some(&cart));
    // With another number, the order is placed from the same version.
    placed.order.number = free;
    fixture.repository.insert(&placed, UnpaidLimits::NONE, &created(&placed)).await.unwrap().unwrap();
    assert!(found(carts, cart.id).await.unwrap().lines.is_empty());
}
