//! Typed clients of other services.

mod payments;
mod products;
mod users;

pub(crate) use payments::{PaymentClient, StartPaymentRequest};
pub(crate) use products::{ProductClient, ProductWithRaw, ReserveOutcome};
pub(crate) use users::UserClient;
