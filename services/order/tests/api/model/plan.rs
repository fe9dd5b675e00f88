//! Random plans: rounds of requests that are sent at once

use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::{collection, option, sample};

/// Number of products.
pub(crate) const PRODUCTS: i64 = 4;
/// Prices that products have.
pub(crate) const PRICES: [&str; 4] = ["29.99", "100.00", "999.99", "0.07"];

/// Crash points of a change of a line.
pub(crate) const ADD_POINTS: [&str; 3] = [
    "before-commit order-service cart changed",
    "after-commit order-service cart changed",
    "before-response order-service PUT /api/carts/{id}/items/{product_id}",
];
/// Crash points of a claim.
pub(crate) const CLAIM_POINTS: [&str; 3] = [
    "before-commit order-service cart claimed",
    "after-commit order-service cart claimed",
    "before-response order-service POST /api/carts/{id}/claim",
];
/// Crash points of an order with an idempotency key.
pub(crate) const PLACE_POINTS: [&str; 8] = [
    "after-key acquired",
    "before-call order-service POST product-service /api/products/reservations",
    "after-call order-service POST product-service /api/products/reservations",
    "before-commit order-service cart ordered",
    "before-commit order-service order.created order_received response",
    "after-commit order-service order.created order_received response",
    "after-commit order-service cart ordered",
    "before-response order-service POST /api/orders",
];

/// Cart of a request: the person's, or one that is unclaimed at the beginning of the round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Which {
    Own,
    Guest,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Command {
    /// Sets the quantity of a product.
    Add { cart: Which, product: i64, quantity: i64 },
    /// Orders a cart as it was shown at the beginning of the round; equal keys are one request, sent again.
    Place { cart: Which, key: u8 },
    /// Claims the unclaimed cart.
    Claim,
    /// Changes the price of a product.
    Reprice { product: i64, price: usize },
}

/// Command with the crash point that its request passes, if it crashes.
pub(crate) type Step = (Command, Option<&'static str>);

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Flag: the person has a cart at the beginning.
    pub(crate) has_cart: bool,
    /// Products and quantities of each cart that is created.
    pub(crate) lines: Vec<(i64, i64)>,
    pub(crate) rounds: Vec<Vec<Step>>,
}

pub(crate) fn plans() -> impl Strategy<Value = Plan> {
    let lines = collection::vec((1..=PRODUCTS, 1..5_i64), 0..3);
    let rounds = collection::vec(collection::vec(step(), 1..7), 1..4);
    (proptest::bool::weighted(0.8), lines, rounds).prop_map(|(has_cart, lines, rounds)| Plan {
        has_cart,
        lines,
        rounds,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let cart = || prop_oneof![2 => Just(Which::Own), 1 => Just(Which::Guest)];
    let crash = |points: &'static [&'static str]| option::weighted(0.4, sample::select(points));
    let add = (cart(), 1..=PRODUCTS, 1..5_i64, crash(&ADD_POINTS));
    let place = (cart(), 0..2_u8, crash(&PLACE_POINTS));
    prop_oneof![
        4 => add.prop_map(|(cart, product, quantity, crash)| (Command::Add { cart, product, quantity }, crash)),
        5 => place.prop_map(|(cart, key, crash)| (Command::Place { cart, key }, crash)),
        2 => crash(&CLAIM_POINTS).prop_map(|crash| (Command::Claim, crash)),
        1 => (1..=PRODUCTS, any::<sample::Index>()).prop_map(|(product, price)| {
            (Command::Reprice { product, price: price.index(PRICES.len()) }, None)
        }),
    ]
}
