//! What the provider says, in our words.

use chrono::{DateTime, Utc};
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

macro_rules! declines {
    ($($(#[$about:meta])* $name:ident = $text:literal,)*) => {
        /// Why a payment was declined: the codes of Stripe's that are told apart
        /// (<https://docs.stripe.com/declines/codes>), and all others.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Decline { $($(#[$about])* $name,)* }

        impl Decline {
            /// Every one there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Stripe's code.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }
    };
}

declines! {
    /// The bank does not say why.
    Generic = "generic_decline",
    /// There is too little money.
    InsufficientFunds = "insufficient_funds",
    /// The card was reported lost.
    LostCard = "lost_card",
    /// The card was reported stolen.
    StolenCard = "stolen_card",
    /// The provider takes it for fraud.
    Fraudulent = "fraudulent",
    /// It was used too often.
    Velocity = "card_velocity_exceeded",
    /// The card has expired.
    ExpiredCard = "expired_card",
    /// The security code is wrong.
    IncorrectCvc = "incorrect_cvc",
    /// The bank wants to know who it is.
    AuthenticationRequired = "authentication_required",
    /// The customer did not show who it is.
    AuthenticationFailed = "payment_intent_authentication_failure",
    /// The bank does not say why, and wants to be called.
    DoNotHonor = "do_not_honor",
    /// The provider failed.
    ProcessingError = "processing_error",
    /// Any other.
    Other = "other",
}

impl Decline {
    /// The one with this code of Stripe's.
    #[must_use]
    pub fn of(code: Option<&str>) -> Self {
        Self::ALL.iter().copied().find(|known| Some(known.as_str()) == code).unwrap_or(Self::Other)
    }
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
        /// The same in a word.
        kind: Decline,
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
    /// When the money was taken, in whole seconds, if it was and the provider says so.
    pub taken_at: Option<DateTime<Utc>>,
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
    /// This is the intent that a webhook named; `None` if the provider does not know it.
    Looked(String, Option<IntentSeen>),
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
