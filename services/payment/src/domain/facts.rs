//! What the provider says, in our words.

use contracts::{Money, PaymentId, RefundId};

use super::work::Doubt;

/// Money that was taken, as the provider has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// How much.
    pub amount: Money,
    /// In which currency (ISO 4217, upper case).
    pub currency: String,
}

/// Where an intent is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// It waits for the customer.
    Waiting,
    /// The provider is taking the money; it cannot be cancelled now.
    Processing,
    /// An attempt was declined; it waits for another one.
    Declined {
        /// The provider's words, fit for the customer.
        reason: String,
    },
    /// The money was taken.
    Succeeded(Captured),
    /// It was cancelled; no money can come by it any more.
    Canceled,
}

impl Fact {
    /// Whether nothing can change any more.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Succeeded(_) | Self::Canceled)
    }
}

/// An intent as the provider showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntentSeen {
    /// The provider's id.
    pub id: String,
    /// The payment that its metadata names.
    pub payment: Option<PaymentId>,
    /// Where it is.
    pub fact: Fact,
}

/// Where a refund is at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundFact {
    /// It is under way.
    Pending,
    /// The money went back.
    Succeeded,
    /// It was refused.
    Failed,
}

/// A refund as the provider showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundSeen {
    /// The provider's id.
    pub id: String,
    /// The intent whose money it gives back.
    pub intent: String,
    /// The refund of ours that its metadata names.
    pub ours: Option<RefundId>,
    /// How much.
    pub amount: Money,
    /// Where it is.
    pub fact: RefundFact,
    /// Why it failed, in the provider's words.
    pub failure: Option<String>,
}

/// What came of asking the provider about a payment, under a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// This is its intent.
    Seen(IntentSeen),
    /// This is its intent, and these are all refunds of it.
    Refunds(IntentSeen, Vec<RefundSeen>),
    /// There is no intent of it, and there will be none.
    Absent,
    /// The provider refused to make its intent.
    Refused {
        /// Why, fit for the customer.
        reason: String,
    },
    /// An intent may have been made or not.
    Doubt(Doubt),
    /// The provider did not say anything.
    Unasked,
}

/// What came of asking the provider for a refund, under a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundReport {
    /// This is it.
    Seen(RefundSeen),
    /// The provider refused to make it.
    Refused {
        /// Why.
        reason: String,
    },
    /// It may have been made or not, with the key of this attempt.
    Doubt {
        /// What is known.
        doubt: Doubt,
        /// The number in the key that was used.
        attempt: u32,
    },
    /// The provider did not say anything.
    Unasked,
}
