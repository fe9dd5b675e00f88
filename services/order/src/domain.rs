//! Domain model of orders: types and rules without I/O.
//!
//! ```text
//!   pending ──▶ confirmed ──▶ processing ──▶ shipped ──▶ delivered
//!      │            │              │
//!      └────────────┴──────────────┴──▶ cancelled
//! ```
//!
//! A rule is a method of [`Order`]. It mutates the locked order and returns the events that describe the change; a rule
//! that can reject the change returns an [`OrderError`] instead and leaves the order as it was. The service commits the
//! order and its events in one transaction.
//!
//! Payments are known from the payment service's events only. [`PaymentProjection`] stores their latest state, and
//! [`payment_status`] derives the order's payment status from the projections alone.

mod cart;
mod contact;
mod error;
mod lines;
mod new_order;
mod notice;
mod number;
mod order;
mod payment_events;
mod payment_projection;
mod priced_cart;
mod status;
mod timeline;
mod totals;
mod tracking;
mod unpaid;

pub use cart::{Cart, CartLine, CartVersion, FoundCart, LineChange, MergedLines};
pub use contact::{Address, AddressUpdate, CustomerInfo};
pub use error::OrderError;
pub use lines::{QuantityLimitExceeded, merge_lines};
pub use new_order::{NewOrder, OrderDraft, ProductSnapshot};
pub use notice::Notice;
pub use number::{OrderNumber, ParseOrderNumberError};
pub use order::{ACCOUNT_DELETED, Item, MAX_PROCESSING_WAIT, Order, OrderUpdate, PAYMENT_DEADLINE_EXCEEDED, Role};
pub use payment_projection::{PaymentProjection, PaymentVersion, Refund, payment_status};
pub use priced_cart::{PricedCart, PricedLine};
pub use status::can_transition_to;
pub use timeline::{TimelineEntry, mark_repeated_refunds, named_actor};
pub use totals::Totals;
pub use tracking::Tracking;
pub use unpaid::{UnpaidLimits, UnpaidTotals};
