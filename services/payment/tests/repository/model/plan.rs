//! Random plans: requests, customers, an unreliable provider, and processes that die.

use proptest::collection;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample;

/// Customer action on an intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Pay,
    Decline,
    /// Starts processing, without a decision.
    Process,
}

/// Behaviour of the provider on a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    Responds,
    Rejects,
    /// Times out; `true` if the call is carried out.
    TimesOut(bool),
    /// Returns a server error; `true` if the call is carried out.
    Fails(bool),
}

/// Step of a plan. Indices select one of the existing objects.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Command {
    Start,
    /// Repeats a request with an idempotency key.
    Resume(usize),
    Confirm(usize, bool),
    /// Refunds a percentage of the order's total.
    Refund(usize, i64),
    /// Delivers one of two events that cancel the order.
    Cancel(usize),
    /// Acquires a due task.
    Acquire(usize),
    /// Calls the provider on behalf of a lease holder.
    Call(usize, Behaviour),
    /// Records the result of a current or former lease holder, possibly again.
    RecordResult(usize),
    Customer(usize, Act),
    /// Ends a pending refund, or lets a succeeded one fail late.
    EndRefund(usize, bool),
    /// Lets every succeeded refund fail late from now on.
    FailLate,
    /// Retries a refund that needs attention.
    Retry(usize),
    /// Settles a refund that was paid manually.
    Settle(usize),
    /// Delivers one of the provider's webhooks, late or again.
    Webhook(usize),
    /// Advances the clock by seconds.
    Advance(i64),
}

pub(crate) fn plans() -> impl Strategy<Value = Vec<Command>> {
    collection::vec(command(), 1..60)
}

fn command() -> impl Strategy<Value = Command> {
    let index = || any::<u8>().prop_map(usize::from);
    let act = sample::select(vec![Act::Pay, Act::Pay, Act::Decline, Act::Process]);
    let behaviour = prop_oneof![
        5 => Just(Behaviour::Responds),
        1 => Just(Behaviour::Rejects),
        1 => any::<bool>().prop_map(Behaviour::TimesOut),
        1 => any::<bool>().prop_map(Behaviour::Fails),
    ];
    prop_oneof![
        3 => Just(Command::Start),
        1 => index().prop_map(Command::Resume),
        1 => (index(), any::<bool>()).prop_map(|(payment, same)| Command::Confirm(payment, same)),
        3 => (index(), 1..=100_i64).prop_map(|(payment, percent)| Command::Refund(payment, percent)),
        1 => (0..2_usize).prop_map(Command::Cancel),
        4 => index().prop_map(Command::Acquire),
        8 => (index(), behaviour).prop_map(|(holder, behaviour)| Command::Call(holder, behaviour)),
        8 => index().prop_map(Command::RecordResult),
        4 => (index(), act).prop_map(|(intent, act)| Command::Customer(intent, act)),
        3 => (index(), any::<bool>()).prop_map(|(refund, done)| Command::EndRefund(refund, done)),
        1 => Just(Command::FailLate),
        1 => index().prop_map(Command::Retry),
        1 => index().prop_map(Command::Settle),
        5 => index().prop_map(Command::Webhook),
        3 => (1..30_i64).prop_map(Command::Advance),
    ]
}
