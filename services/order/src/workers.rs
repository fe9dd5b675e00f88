//! Background work of the service.

mod payment_deadline;

pub(crate) use payment_deadline::PaymentDeadlineWorker;
