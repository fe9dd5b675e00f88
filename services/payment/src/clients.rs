//! Clients of the order service and of the payment provider.

pub(crate) mod orders;
pub mod stripe;
