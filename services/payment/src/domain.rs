//! The whole life of a payment: types and rules, no I/O.
//!
//! All payments of one order are one [`Account`]: what is decided about one depends on the others and on whether the
//! order still stands. A store reads an account under the lock of its order's row, a rule of this module changes it,
//! and the store writes it back with the events that it caused.
//!
//! ```text
//!            begin                    Declined                 Succeeded, late
//!   (none) ─────────▶ pending ───────────────────▶ failed ──────────────┐
//!                      │  │  ▲                                          │
//!           Processing │  │  └ a new payment replaces it:               ▼
//!                      ▼  │    Canceled                            completed ──▶ refunded
//!               processing┼──────────────────────▶ cancelled ────────▲  ▲   (all of it given back)
//!                         │ confirm                 Succeeded, late ─┘  │
//!                         ▼            Canceled by us                   │
//!                     settling ─────────────────────────────────────────┘
//!                              Succeeded: the provider wins
//! ```
//!
//! - What the provider says of an intent is a [`Fact`]; [`State::after`] is the table of what each state makes of each.
//! - A webhook is a hint ([`Account::hint_intent`]): what it claims is never applied, only what the provider returns.
//! - A success is always recorded ([`Account::hear_intent`]). It is kept if the order still wants it, else a refund is
//!   made in the same transaction.
//! - What is still to be done at the provider follows from what is stored ([`Payment::need`], [`Refund::is_due`]), and
//!   [`Work`] says when and under whose lease. So a process that dies delays it and loses nothing.

mod account;
mod actor;
mod facts;
mod payment;
mod refund;
mod refusal;
mod state;
mod work;

pub use account::{Account, Begin, Confirm, Granted, NewPayment, NewRefund, Noted, OrderRecord, Retry, Terms};
pub use actor::Actor;
pub use facts::{Captured, Decline, Fact, IntentSeen, RefundFact, RefundReport, RefundSeen, Report};
pub use payment::{Need, Payment};
pub use refund::{MAX_ATTEMPTS, Refund};
pub use refusal::Refusal;
pub use state::{Move, State};
pub use work::{Doubt, Lease, LeaseToken, Work, backoff};
