//! Random commands on a few orders and products, so that they often conflict.

use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::{array, collection};

/// Number of products of a plan.
pub(crate) const PRODUCTS: usize = 3;
/// Number of orders of a plan.
pub(crate) const ORDERS: usize = 4;

/// Event of the order service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderEvent {
    Confirmed,
    Cancelled,
}

/// State of an order whose reservation is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderOutcome {
    Unknown,
    Active,
    Cancelled,
    Unavailable,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Command {
    /// Reservation of an order: quantity of each product, and lifetime in seconds.
    Reserve(usize, [i64; PRODUCTS], i64),
    Release(usize),
    /// Publication of an event, without its delivery.
    Publish(usize, OrderEvent),
    /// Delivery of a published event, possibly repeated.
    Deliver(usize),
    /// Passage of time, in seconds.
    Pass(i64),
    /// Expiry of all due reservations, with the state of each order.
    Expire([OrderOutcome; ORDERS]),
    Adjust(usize, i64),
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Initial stock of each product.
    pub(crate) initial: [i64; PRODUCTS],
    pub(crate) commands: Vec<Command>,
}

pub(crate) fn plans() -> impl Strategy<Value = Plan> {
    let plan = (array::uniform3(0..10_i64), collection::vec(command(), 1..50));
    plan.prop_map(|(initial, commands)| Plan { initial, commands })
}

fn command() -> impl Strategy<Value = Command> {
    let order = || 0..ORDERS;
    let event = prop_oneof![Just(OrderEvent::Confirmed), Just(OrderEvent::Cancelled)];
    let outcome = prop_oneof![
        Just(OrderOutcome::Unknown),
        Just(OrderOutcome::Active),
        Just(OrderOutcome::Cancelled),
        Just(OrderOutcome::Unavailable)
    ];
    prop_oneof![
        4 => (order(), array::uniform3(0..4_i64), 1..60_i64).prop_map(|(order, lines, ttl)| {
            let nothing = lines.iter().sum::<i64>() == 0;
            Command::Reserve(order, if nothing { [1; PRODUCTS] } else { lines }, ttl)
        }),
        2 => order().prop_map(Command::Release),
        3 => (order(), event).prop_map(|(order, event)| Command::Publish(order, event)),
        6 => any::<u16>().prop_map(|index| Command::Deliver(index.into())),
        2 => (1..40_i64).prop_map(Command::Pass),
        2 => array::uniform4(outcome).prop_map(Command::Expire),
        2 => (0..PRODUCTS, -4..6_i64).prop_map(|(product, by)| Command::Adjust(product, by)),
    ]
}
