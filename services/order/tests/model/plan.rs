//! What is tried: lives of payments, whose events come in any order, and commands in between.

use contracts::calls::OrderStatus;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::{array, collection, option, sample};

/// Orders of a plan, and payments of each.
pub(crate) const ORDERS: usize = 2;
pub(crate) const PAYMENTS: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Completed,
    Failed,
    Cancelled,
    /// The money came although it had failed.
    FailedAndCompleted,
}

/// What becomes of a payment.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) processing: bool,
    /// It stays open if there is none.
    pub(crate) end: Option<End>,
    /// How much of the order's total it is, in percent.
    pub(crate) percent: i64,
    /// Whether its money counts for the order.
    pub(crate) counts: bool,
    pub(crate) refunds: Vec<Refund>,
    /// Whether the writer of the refunds' events counts them and reports failed ones.
    pub(crate) versioned: bool,
}

/// Money that goes back once it was taken.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refund {
    /// So much of what is left, in percent.
    Of(i64),
    /// The last one was refused after all, and is made again.
    Again,
    /// The last one was refused after all, and is not made again.
    Fail,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Command {
    Place(usize),
    /// It is asked that an order that does not exist never will.
    Abandon(usize),
    /// Cancelled by the owner or by the shop.
    Cancel(usize, bool),
    Update(usize, OrderStatus),
    /// One of the events comes, perhaps again.
    Deliver(usize),
    /// So many seconds pass.
    Pass(i64),
    /// What nobody paid within so many seconds is cancelled.
    Deadline(i64),
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) lives: [[Life; PAYMENTS]; ORDERS],
    pub(crate) commands: Vec<Command>,
    /// In which order the events come that have not by the end, and those of a second order with the same payments.
    pub(crate) arrivals: [Vec<u8>; 2],
}

pub(crate) fn plans() -> impl Strategy<Value = Plan> {
    let lives = array::uniform2(array::uniform2(life()));
    let arrivals = array::uniform2(collection::vec(any::<u8>(), 40));
    let plan = (lives, collection::vec(command(), 1..50), arrivals);
    plan.prop_map(|(lives, commands, arrivals)| Plan { lives, commands, arrivals })
}

fn life() -> impl Strategy<Value = Life> {
    let end =
        sample::select(vec![End::Completed, End::Completed, End::Failed, End::Cancelled, End::FailedAndCompleted]);
    let refund =
        prop_oneof![3 => (10..=100_i64).prop_map(Refund::Of), 1 => Just(Refund::Again), 1 => Just(Refund::Fail)];
    let percent = prop_oneof![3 => Just(100_i64), 1 => 1..100_i64];
    let life = (
        any::<bool>(),
        option::weighted(0.8, end),
        percent,
        proptest::bool::weighted(0.8),
        collection::vec(refund, 0..4),
        proptest::bool::weighted(0.7),
    );
    life.prop_map(|(processing, end, percent, counts, refunds, versioned)| Life {
        processing,
        end,
        percent,
        counts,
        refunds,
        versioned,
    })
}

fn command() -> impl Strategy<Value = Command> {
    let order = || 0..ORDERS;
    prop_oneof![
        4 => order().prop_map(Command::Place),
        1 => order().prop_map(Command::Abandon),
        1 => (order(), any::<bool>()).prop_map(|(order, by_owner)| Command::Cancel(order, by_owner)),
        3 => (order(), sample::select(OrderStatus::ALL.to_vec())).prop_map(|(order, to)| Command::Update(order, to)),
        12 => any::<u16>().prop_map(|index| Command::Deliver(index.into())),
        2 => (1..40_i64).prop_map(Command::Pass),
        1 => prop_oneof![4 => 1..60_i64, 1 => Just(0_i64)].prop_map(Command::Deadline),
        1 => Just(Command::Pass(24 * 3600)),
    ]
}
