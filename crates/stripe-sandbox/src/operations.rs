//! Endpoints with their operations, one file each, and the rules that they share.

pub(crate) mod cancel_payment_intent;
mod charge;
pub(crate) mod confirm_payment_intent;
pub(crate) mod create_payment_intent;
pub(crate) mod create_refund;
pub(crate) mod faults;
pub(crate) mod get_payment_intent;
pub(crate) mod get_refund;
pub(crate) mod health;
pub(crate) mod hosted_page;
mod intent_checks;
pub(crate) mod list_events;
pub(crate) mod list_payment_intents;
pub(crate) mod list_refunds;
mod method_choice;
pub(crate) mod settle_refunds;
pub(crate) mod three_d_secure;
