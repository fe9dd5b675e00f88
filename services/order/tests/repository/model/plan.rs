//! Random plans: payments with their events in any order, and commands in between.

use contracts::api::OrderStatus;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::{array, collection, option, sample};

/// Number of orders in a plan.
pub(crate) const ORDERS: usize = 2;
/// Number of payments per order.
pub(crate) const PAYMENTS: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Completed,
    Failed,
    Cancelled,
    /// Payment that is captured after it had failed.
    FailedAndCompleted,
}

/// Course of a payment.
#[derive(Clone, Debug)]
pub(crate) struct Course {
    pub(crate) processing: bool,
    /// Final state; a payment without one stays open.
    pub(crate) end: Option<End>,
    /// Amount in percent of the order's total.
    pub(crate) percent: i64,
    /// Flag: the payment counts toward the order's total.
    pub(crate) counts: bool,
    pub(crate) refunds: Vec<Refund>,
    /// Flag: refund events are versioned and include failures.
    pub(crate) versioned: bool,
}

/// Refund of a captured payment.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refund {
    /// Refund of a share of the remaining amount, in percent.
    Of(i64),
    /// Repetition of the last refund after it failed.
    Repeat,
    /// Failure of the last refund, without repetition.
    Fail,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Command {
    Place(usize),
    /// Inserts a tombstone unless the order exists.
    Abandon(usize),
    /// Cancels as the customer (`true`) or as staff.
    Cancel(usize, bool),
    Update(usize, OrderStatus),
    /// Delivers one of the events, possibly repeated.
    Deliver(usize),
    /// Advances the clock by seconds.
    Advance(i64),
    /// Cancels orders that are not paid within a deadline in seconds.
    Deadline(i64),
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) courses: [[Course; PAYMENTS]; ORDERS],
    pub(crate) commands: Vec<Command>,
    /// Order of arrival of the events that remain at the end, and of those of a second order with the same payments.
    pub(crate) arrivals: [Vec<u8>; 2],
}

pub(crate) fn plans() -> impl Strategy<Value = Plan> {
    let courses = array::uniform2(array::uniform2(course()));
    let arrivals = array::uniform2(collection::vec(any::<u8>(), 40));
    let plan = (courses, collection::vec(command(), 1..50), arrivals);
    plan.prop_map(|(courses, commands, arrivals)| Plan { courses, commands, arrivals })
}

fn course() -> impl Strategy<Value = Course> {
    let end =
        sample::select(vec![End::Completed, End::Completed, End::Failed, End::Cancelled, End::FailedAndCompleted]);
    let refund =
        prop_oneof![3 => (10..=100_i64).prop_map(Refund::Of), 1 => Just(Refund::Repeat), 1 => Just(Refund::Fail)];
    let percent = prop_oneof![3 => Just(100_i64), 1 => 1..100_i64];
    let course = (
        any::<bool>(),
        option::weighted(0.8, end),
        percent,
        proptest::bool::weighted(0.8),
        collection::vec(refund, 0..4),
        proptest::bool::weighted(0.7),
    );
    course.prop_map(|(processing, end, percent, counts, refunds, versioned)| Course {
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
        1 => (order(), any::<bool>()).prop_map(|(order, by_customer)| Command::Cancel(order, by_customer)),
        3 => (order(), sample::select(OrderStatus::ALL.to_vec())).prop_map(|(order, to)| Command::Update(order, to)),
        12 => any::<u16>().prop_map(|index| Command::Deliver(index.into())),
        2 => (1..40_i64).prop_map(Command::Advance),
        1 => prop_oneof![4 => 1..60_i64, 1 => Just(0_i64)].prop_map(Command::Deadline),
        1 => Just(Command::Advance(24 * 3600)),
    ]
}
