//! Background work of the service.

mod cart_expiry;
mod payment_deadline;

pub(crate) use cart_expiry::CartExpiryWorker;
pub(crate) use payment_deadline::PaymentDeadlineWorker;
