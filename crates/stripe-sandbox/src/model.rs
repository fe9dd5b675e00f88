//! Objects of the ledger, with their JSON in Stripe's format.

pub(crate) mod charge;
pub(crate) mod currency;
pub(crate) mod event;
pub(crate) mod intent;
pub(crate) mod json_text;
pub(crate) mod method;
pub(crate) mod refund;
pub(crate) mod test_methods;
