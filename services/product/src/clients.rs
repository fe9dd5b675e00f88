//! Typed clients of other services.

mod orders;

pub(crate) use orders::OrderClient;
