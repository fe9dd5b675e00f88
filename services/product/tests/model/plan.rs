//! What is tried: commands about a few orders and products, which often meet.

use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::{array, collection};

/// Products of a plan, and orders of it.
pub(crate) const PRODUCTS: usize = 3;
pub(crate) const ORDERS: usize = 4;

/// What an order service says that becomes of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Confirmed,
    Cancelled,
}

/// What it answers about an order whose reservation ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Never,
    Stands,
    Cancelled,
    Unanswered,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Command {
    /// So many pieces of each product for an order, for so many seconds.
    Reserve(usize, [i64; PRODUCTS], i64),
    Release(usize),
    /// An event is published; it comes when it is delivered.
    Publish(usize, Told),
    /// One of the events that were published comes, perhaps again.
    Deliver(usize),
    /// So many seconds pass.
    Pass(i64),
    /// What ran out is asked about, each with the answer that is its order's turn.
    Expire([Fate; ORDERS]),
    Adjust(usize, i64),
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// What there is of each product.
    pub(crate) initial: [i64; PRODUCTS],
    pub(crate) commands: Vec<Command>,
}

pub(crate) fn plans() -> impl Strategy<Value = Plan> {
    let plan = (array::uniform3(0..10_i64), collection::vec(command(), 1..50));
    plan.prop_map(|(initial, commands)| Plan { initial, commands })
}

fn command() -> impl Strategy<Value = Command> {
    let order = || 0..ORDERS;
    let told = prop_oneof![Just(Told::Confirmed), Just(Told::Cancelled)];
    let fate = prop_oneof![Just(Fate::Never), Just(Fate::Stands), Just(Fate::Cancelled), Just(Fate::Unanswered)];
    prop_oneof![
        4 => (order(), array::uniform3(0..4_i64), 1..60_i64).prop_map(|(order, lines, ttl)| {
            let nothing = lines.iter().sum::<i64>() == 0;
            Command::Reserve(order, if nothing { [1; PRODUCTS] } else { lines }, ttl)
        }),
        2 => order().prop_map(Command::Release),
        3 => (order(), told).prop_map(|(order, told)| Command::Publish(order, told)),
        6 => any::<u16>().prop_map(|index| Command::Deliver(index.into())),
        2 => (1..40_i64).prop_map(Command::Pass),
        2 => array::uniform4(fate).prop_map(Command::Expire),
        2 => (0..PRODUCTS, -4..6_i64).prop_map(|(product, by)| Command::Adjust(product, by)),
    ]
}
