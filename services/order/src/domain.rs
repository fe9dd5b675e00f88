//! An order's life: types and rules, no I/O.
//!
//! ```text
//!   pending ──▶ confirmed ──▶ processing ──▶ shipped ──▶ delivered
//!      │            │              │
//!      └────────────┴──────────────┴──▶ cancelled
//! ```
//!
//! A store reads an [`Order`] under its lock, a rule of this module changes it, and the store writes it back together with
//! the events that the rule answered. What the payment service tells of the order's money is kept beside it
//! ([`Payment`]); [`payment_status`] makes the order's payment status of that and of nothing else.

mod cart;
mod contact;
mod hearing;
mod number;
mod order;
mod payment;
mod refusal;
mod status;
mod totals;
mod unpaid;

pub use cart::{Overfull, merge};
pub use contact::{Address, AddressChange, CustomerInfo};
pub use number::{NoOrderNumber, OrderNumber};
pub use order::{
    ACCOUNT_DELETED, Actor, Change, Draft, Item, MAX_PROCESSING_WAIT, Order, PAYMENT_DEADLINE_EXCEEDED, Placed,
    Snapshot,
};
pub use payment::{Payment, Refund, Seen, payment_status};
pub use refusal::Refusal;
pub use status::leads_to;
pub use totals::Totals;
pub use unpaid::{Unpaid, UnpaidLimits};
