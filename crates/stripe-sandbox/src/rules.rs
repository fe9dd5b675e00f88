//! What may happen to payment intents and refunds, and what comes of it.

pub(crate) mod authenticate;
pub(crate) mod cancel;
pub(crate) mod charge;
pub(crate) mod confirm;
pub(crate) mod create;
pub(crate) mod method_choice;
pub(crate) mod refund;
pub(crate) mod settle;
pub(crate) mod state;
pub(crate) mod work;
