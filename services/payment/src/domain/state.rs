//! The states of a payment, and what each makes of what the provider says.

use std::fmt;
use std::str::FromStr;

use super::facts::Fact;

/// Where a payment is. What is shown to clients ([`super::Payment::status`]) follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Created; the customer has to act.
    Pending,
    /// The provider is taking it.
    Processing,
    /// A trusted caller said that it was paid elsewhere: the intent is being cancelled, then it completes. It counts as
    /// open and is shown as processing.
    Settling,
    /// Money was captured.
    Completed,
    /// Declined, or refused by the provider.
    Failed,
    /// Given up before it was taken.
    Cancelled,
}

/// What a fact does to a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// Nothing.
    Stay,
    /// It changes to this state.
    Become(State),
    /// Money was captured: it is recorded, and kept or given back.
    Capture,
}

impl State {
    /// Every state there is.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Processing, Self::Settling, Self::Completed, Self::Failed, Self::Cancelled];

    /// Whether it is one of the states of which an order has one payment at a time.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Processing | Self::Settling)
    }

    /// The table of the whole life: what a payment in this state makes of a fact about its own intent.
    ///
    /// Facts come late, repeated and out of order; a state that knows better stays. Money is the exception: a success
    /// is recorded in every state that has not recorded one.
    #[must_use]
    pub const fn after(self, fact: &Fact) -> Move {
        match (self, fact) {
            (Self::Completed, _) => Move::Stay,
            (_, Fact::Succeeded(_)) => Move::Capture,
            (Self::Pending | Self::Processing, Fact::Declined { .. }) => Move::Become(Self::Failed),
            (Self::Pending | Self::Processing, Fact::Canceled) => Move::Become(Self::Cancelled),
            (Self::Pending, Fact::Processing) => Move::Become(Self::Processing),
            _ => Move::Stay,
        }
    }

    /// The text that is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Settling => "settling",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for State {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Captured, Decline};
    use super::*;
    use contracts::Money;

    #[test]
    fn every_state_and_every_fact() {
        use Move::{Become, Capture, Stay};
        use State::{Cancelled, Completed, Failed, Pending, Processing, Settling};
        let facts = [
            Fact::Waiting,
            Fact::Processing,
            Fact::Declined { reason: "no".to_owned(), kind: Decline::Other },
            Fact::Succeeded(Captured { amount: Money::from_cents(1), currency: "USD".to_owned() }),
            Fact::Canceled,
        ];
        #[rustfmt::skip]
        let table = [
            //            Waiting  Processing           Declined        Succeeded  Canceled
            (Pending,    [Stay,    Become(Processing),  Become(Failed), Capture,   Become(Cancelled)]),
            (Processing, [Stay,    Stay,                Become(Failed), Capture,   Become(Cancelled)]),
            (Settling,   [Stay,    Stay,                Stay,           Capture,   Stay]),
            (Completed,  [Stay,    Stay,                Stay,           Stay,      Stay]),
            (Failed,     [Stay,    Stay,                Stay,           Capture,   Stay]),
            (Cancelled,  [Stay,    Stay,                Stay,           Capture,   Stay]),
        ];
        assert_eq!(table.len(), State::ALL.len());
        for (state, moves) in table {
            for (fact, expected) in facts.iter().zip(moves) {
                assert_eq!(state.after(fact), expected, "{state} after {fact:?}");
            }
        }
    }

    #[test]
    fn a_state_is_read_as_it_is_written() {
        for state in State::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert!("refunded".parse::<State>().is_err());
    }
}
