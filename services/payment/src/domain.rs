//! Payment life cycle: types and rules without I/O.
//!
//! All payments of one order form one aggregate, [`OrderPayments`], because a decision about one payment depends on the
//! others and on the state of the order. The repository loads the aggregate under the lock of the order's row, a rule of
//! this module changes it, and the repository writes it back together with the events that it emitted.
//!
//! | from | to | cause |
//! |---|---|---|
//! | – | pending | a request, [`OrderPayments::start`] |
//! | – | completed | an intent that no payment has was captured for one of them |
//! | pending | processing | the intent is processing |
//! | pending | failed | the provider rejects the creation of the intent |
//! | pending, processing | failed | the intent is declined |
//! | pending, processing | cancelled | the intent is cancelled: by the provider, for a new payment, with the order |
//! | pending, processing | settling | a trusted caller confirms the payment ([`OrderPayments::confirm`]) |
//! | settling | completed | the intent is cancelled, or is captured first and the provider wins |
//! | all but completed | completed | the intent is captured, however late |
//!
//! `refunded` is a completed payment whose whole capture was refunded.
//!
//! - [`IntentStatus`] is the state of an intent at the provider; [`State::on_intent_status`] is the transition table.
//! - Webhooks are hints ([`OrderPayments::add_intent_hint`]): only objects fetched from the provider are applied.
//! - Every capture is recorded ([`OrderPayments::apply_intent`]). A capture that the order does not want is refunded in
//!   the same transaction.
//! - Outstanding provider calls follow from stored data ([`Payment::next_action`], [`Refund::is_open`]); [`LeasedTask`]
//!   holds their due time and lease. A crash therefore delays a call and never loses it.

mod error;
mod lease;
mod order_payments;
mod payment;
mod refund;
mod snapshots;
mod state;

pub use error::PaymentError;
pub use lease::{FencingToken, Lease, LeasedTask, UnknownOutcome, backoff};
pub use order_payments::{
    ConfirmOutcome, DomainMetric, NewPayment, NewRefund, OrderPayments, OrderRecord, OrderTerms, RefundGrant,
    RetryOutcome, StartOutcome,
};
pub use payment::{NextAction, Payment};
pub use refund::{MAX_ATTEMPTS, Refund, RefundOfPayment};
pub use snapshots::{
    Captured, Decline, IntentSnapshot, IntentStatus, ProviderRefundStatus, RefundClaim, RefundSnapshot,
    RefundSyncResult, SyncResult,
};
pub use state::{State, Transition};
