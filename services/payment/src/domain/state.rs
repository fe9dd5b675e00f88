//! Payment states and their transitions on provider statuses.

use std::fmt;
use std::str::FromStr;

use super::snapshots::IntentStatus;

/// State of a payment. The status shown to clients ([`super::Payment::status`]) is derived from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Payment state: created; the customer has to act.
    Pending,
    /// Payment state: being captured by the provider.
    Processing,
    /// Confirmed by a trusted caller as paid elsewhere: the intent is being cancelled, then the payment completes. The
    /// state counts as open and is shown as processing.
    Settling,
    /// Payment state: captured.
    Completed,
    /// Payment state: declined, or rejected by the provider.
    Failed,
    /// Payment state: cancelled before it was captured.
    Cancelled,
}

/// Effect of a provider status on the state of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// Transition: no change.
    None,
    /// Transition: change to the given state.
    To(State),
    /// Capture, which is recorded and then either accepted or refunded.
    Capture,
}

impl State {
    /// All states.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Processing, Self::Settling, Self::Completed, Self::Failed, Self::Cancelled];

    /// Returns `true` for open states. An order has at most one open payment.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Processing | Self::Settling)
    }

    /// Returns the transition that a status of the payment's own intent causes: the table of the whole life cycle.
    ///
    /// Statuses arrive late, repeated and out of order; later states ignore earlier statuses. Captures are the exception:
    /// every state that has not recorded one records it.
    #[must_use]
    pub const fn on_intent_status(self, status: &IntentStatus) -> Transition {
        match (self, status) {
            (Self::Completed, _) => Transition::None,
            (_, IntentStatus::Succeeded(_)) => Transition::Capture,
            (Self::Pending | Self::Processing, IntentStatus::Declined { .. }) => Transition::To(Self::Failed),
            (Self::Pending | Self::Processing, IntentStatus::Canceled) => Transition::To(Self::Cancelled),
            (Self::Pending, IntentStatus::Processing) => Transition::To(Self::Processing),
            _ => Transition::None,
        }
    }

    /// Returns the stored text.
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
    fn transition_table_covers_every_state_and_status() {
        use State::{Cancelled, Completed, Failed, Pending, Processing, Settling};
        use Transition::{Capture, None, To};
        let statuses = [
            IntentStatus::AwaitingCustomer,
            IntentStatus::Processing,
            IntentStatus::Declined { reason: "no".to_owned(), kind: Decline::Other },
            IntentStatus::Succeeded(Captured { amount: Money::from_cents(1), currency: "USD".to_owned() }),
            IntentStatus::Canceled,
        ];
        #[rustfmt::skip]
        let table = [
            //            AwaitingCustomer  Processing       Declined    Succeeded  Canceled
            (Pending,    [None,             To(Processing),  To(Failed), Capture,   To(Cancelled)]),
            (Processing, [None,             None,            To(Failed), Capture,   To(Cancelled)]),
            (Settling,   [None,             None,            None,       Capture,   None]),
            (Completed,  [None,             None,            None,       None,      None]),
            (Failed,     [None,             None,            None,       Capture,   None]),
            (Cancelled,  [None,             None,            None,       Capture,   None]),
        ];
        assert_eq!(table.len(), State::ALL.len());
        for (state, transitions) in table {
            for (status, expected) in statuses.iter().zip(transitions) {
                assert_eq!(state.on_intent_status(status), expected, "{state} on {status:?}");
            }
        }
    }

    #[test]
    fn state_round_trips_through_its_stored_text() {
        for state in State::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert!("refunded".parse::<State>().is_err());
    }
}
