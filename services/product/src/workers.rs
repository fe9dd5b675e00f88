//! Background workers.

mod media_collection;
mod reservation_expiry;
mod search_index;

pub(crate) use media_collection::MediaCollectionWorker;
pub(crate) use reservation_expiry::ReservationExpiryWorker;
pub(crate) use search_index::SearchIndexWorker;
