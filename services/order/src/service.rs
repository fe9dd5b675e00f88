//! Use cases: they combine domain rules, repository, cache and calls to other services.

mod access;
mod carts;
mod delete_customer;
mod lists;
mod orders;
mod pay_order;
mod payment_deadline;
mod place_order;

pub(crate) use carts::CartService;
pub(crate) use delete_customer::DeleteCustomer;
pub use orders::{ConsumedMessage, OrderService};
pub(crate) use pay_order::{OrderPaymentService, PaymentRequest};
pub(crate) use place_order::{CommitOutcome, PlaceOrder, PlacementTerms};
