//! What is tried: requests, customers, a provider that answers as it likes, and processes that die.

use proptest::collection;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample;

/// What a customer does with an intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Pay,
    Decline,
    /// The provider is deciding.
    Process,
}

/// How the provider answers a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Luck {
    Answers,
    Refuses,
    /// No answer comes; whether it is done.
    Silent(bool),
    /// It answers with a fault; whether it is done.
    Fails(bool),
}

/// Numbers choose among what there is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Command {
    Begin,
    /// A request with a key is repeated.
    Resume(usize),
    Confirm(usize, bool),
    /// So much of the order's total, in percent.
    Grant(usize, i64),
    /// One of two events says that the order is cancelled.
    Cancel(usize),
    /// Something that is due is taken up.
    Work(usize),
    /// Whoever has a lease asks the provider.
    Call(usize, Luck),
    /// Whoever has or had a lease tells what came of it, perhaps again.
    Report(usize),
    Customer(usize, Act),
    /// A refund that is under way is done or fails; one that is done fails late.
    Turn(usize, bool),
    /// From now on every refund that succeeds fails late.
    FailLate,
    /// A person has a refund that needs attention tried again.
    Retry(usize),
    /// A person says that a refund was paid by hand.
    Settle(usize),
    /// One of the provider's webhooks comes, late or again.
    Webhook(usize),
    /// So many seconds pass.
    Pass(i64),
}

pub(crate) fn plans() -> impl Strategy<Value = Vec<Command>> {
    collection::vec(command(), 1..60)
}

fn command() -> impl Strategy<Value = Command> {
    let index = || any::<u8>().prop_map(usize::from);
    let act = sample::select(vec![Act::Pay, Act::Pay, Act::Decline, Act::Process]);
    let luck = prop_oneof![
        5 => Just(Luck::Answers),
        1 => Just(Luck::Refuses),
        1 => any::<bool>().prop_map(Luck::Silent),
        1 => any::<bool>().prop_map(Luck::Fails),
    ];
    prop_oneof![
        3 => Just(Command::Begin),
        1 => index().prop_map(Command::Resume),
        1 => (index(), any::<bool>()).prop_map(|(payment, same)| Command::Confirm(payment, same)),
        3 => (index(), 1..=100_i64).prop_map(|(payment, percent)| Command::Grant(payment, percent)),
        1 => (0..2_usize).prop_map(Command::Cancel),
        4 => index().prop_map(Command::Work),
        8 => (index(), luck).prop_map(|(lease, luck)| Command::Call(lease, luck)),
        8 => index().prop_map(Command::Report),
        4 => (index(), act).prop_map(|(intent, act)| Command::Customer(intent, act)),
        3 => (index(), any::<bool>()).prop_map(|(refund, done)| Command::Turn(refund, done)),
        1 => Just(Command::FailLate),
        1 => index().prop_map(Command::Retry),
        1 => index().prop_map(Command::Settle),
        5 => index().prop_map(Command::Webhook),
        3 => (1..30_i64).prop_map(Command::Pass),
    ]
}
