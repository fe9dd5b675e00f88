//! Background work of the service.

mod cart_expiry;
mod payment_deadline;
mod search_index;

pub(crate) use cart_expiry::CartExpiryWorker;
pub(crate) use payment_deadline::PaymentDeadlineWorker;
pub(crate) use search_index::SearchIndexWorker;
