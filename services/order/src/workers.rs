//! Background work of the service.

mod payment_deadline;
mod search_index;

pub(crate) use payment_deadline::PaymentDeadlineWorker;
pub(crate) use search_index::SearchIndexWorker;
