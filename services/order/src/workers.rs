//! Background work of the service.

mod payment_deadline;
mod timeline_poll;

pub(crate) use payment_deadline::PaymentDeadlineWorker;
pub(crate) use timeline_poll::TimelinePollWorker;
