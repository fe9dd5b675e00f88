//! Clients of the order service and of the payment provider.

pub(crate) mod order;
pub mod stripe;
