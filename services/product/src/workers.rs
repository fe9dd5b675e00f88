//! Background workers.

mod reservation_expiry;
mod search_index;

pub(crate) use reservation_expiry::ReservationExpiryWorker;
pub(crate) use search_index::SearchIndexWorker;
