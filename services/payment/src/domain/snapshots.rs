//! Provider-side view of intents and refunds.

use chrono::{DateTime, Utc};
use contracts::{Money, PaymentId, RefundId};

use super::lease::UnknownOutcome;

/// Captured amount, as reported by the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// Amount.
    pub amount: Money,
    /// Currency (ISO 4217, upper case).
    pub currency: String,
}

macro_rules! declines {
    ($($(#[$about:meta])* $name:ident = $text:literal,)*) => {
        /// Reason for a declined payment: the distinguished Stripe codes (<https://docs.stripe.com/declines/codes>), and
        /// one variant for all others.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Decline { $($(#[$about])* $name,)* }

        impl Decline {
            /// All reasons.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Returns Stripe's code.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }
    };
}

declines! {
    /// No reason given by the bank.
    Generic = "generic_decline",
    /// Insufficient funds.
    InsufficientFunds = "insufficient_funds",
    /// Card reported lost.
    LostCard = "lost_card",
    /// Card reported stolen.
    StolenCard = "stolen_card",
    /// Suspected fraud.
    Fraudulent = "fraudulent",
    /// Card used too often.
    Velocity = "card_velocity_exceeded",
    /// Expired card.
    ExpiredCard = "expired_card",
    /// Wrong security code.
    IncorrectCvc = "incorrect_cvc",
    /// Authentication required by the bank.
    AuthenticationRequired = "authentication_required",
    /// Authentication failed or abandoned by the customer.
    AuthenticationFailed = "payment_intent_authentication_failure",
    /// No reason given by the bank, which wants to be contacted.
    DoNotHonor = "do_not_honor",
    /// Processing error of the provider.
    ProcessingError = "processing_error",
    /// Any other reason.
    Other = "other",
}

impl Decline {
    /// Maps a Stripe code; unknown codes become [`Self::Other`].
    #[must_use]
    pub fn from_code(code: Option<&str>) -> Self {
        Self::ALL.iter().copied().find(|known| Some(known.as_str()) == code).unwrap_or(Self::Other)
    }
}

/// Status of an intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IntentStatus {
    /// Intent status: waits for the customer.
    AwaitingCustomer,
    /// Intent status: being captured; cannot be cancelled now.
    Processing,
    /// The last attempt was declined; another one is possible.
    Declined {
        /// The provider's message, fit for the customer.
        reason: String,
        /// Reason code.
        kind: Decline,
    },
    /// Intent status: captured.
    Succeeded(Captured),
    /// Cancelled; no capture is possible any more.
    Canceled,
}

impl IntentStatus {
    /// Returns `true` if the status is final.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Succeeded(_) | Self::Canceled)
    }
}

/// Snapshot of an intent, as fetched from the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntentSnapshot {
    /// Provider's id of the intent.
    pub id: String,
    /// Payment named in the metadata.
    pub payment: Option<PaymentId>,
    /// Status of the intent.
    pub status: IntentStatus,
    /// Time of the capture in whole seconds, if captured and reported.
    pub captured_at: Option<DateTime<Utc>>,
}

/// Status of a refund at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderRefundStatus {
    /// Provider refund status: in progress.
    Pending,
    /// Provider refund status: refunded.
    Succeeded,
    /// Provider refund status: failed or rejected.
    Failed,
}

/// State of an intent's refunds that a webhook claims. It is never applied: it shows whether a fetch could find anything new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundClaim {
    /// Refund claim: status of one refund.
    Refund {
        /// Provider's id of the refund.
        id: String,
        /// Refund of this service named in the metadata.
        refund_id: Option<RefundId>,
        /// Claimed status.
        status: ProviderRefundStatus,
    },
    /// Refund claim: refunded amount of the intent.
    Total(Money),
}

/// Snapshot of a refund, as fetched from the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundSnapshot {
    /// Provider's id of the refund.
    pub id: String,
    /// Refunded intent.
    pub intent: String,
    /// Refund of this service named in the metadata.
    pub refund_id: Option<RefundId>,
    /// Amount.
    pub amount: Money,
    /// Status of the refund.
    pub status: ProviderRefundStatus,
    /// The provider's failure reason.
    pub failure_reason: Option<String>,
}

/// Result of a provider call about a payment, made under a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyncResult {
    /// Sync result: the payment's intent.
    Snapshot(IntentSnapshot),
    /// The payment's intent and all of its refunds.
    SnapshotWithRefunds(IntentSnapshot, Vec<RefundSnapshot>),
    /// The intent named by a webhook; `None` if the provider does not know it.
    HintedIntent(String, Option<IntentSnapshot>),
    /// The payment has no intent and will not get one.
    NotFound,
    /// The provider rejected the creation of the intent.
    Rejected {
        /// Reason, fit for the customer.
        reason: String,
    },
    /// An intent may or may not have been created.
    Indeterminate(UnknownOutcome),
    /// The provider returned nothing, or was not called.
    NoResponse,
}

/// Result of a provider call about a refund, made under a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundSyncResult {
    /// Refund sync result: the refund.
    Snapshot(RefundSnapshot),
    /// The provider rejected the creation of the refund.
    Rejected {
        /// Reason of the rejection.
        reason: String,
    },
    /// The refund may or may not have been created, with the key of this attempt.
    Indeterminate {
        /// Reason why the outcome is unknown.
        outcome: UnknownOutcome,
        /// Number in the idempotency key that was used.
        attempt: u32,
    },
    /// The provider returned nothing, or was not called.
    NoResponse,
}
