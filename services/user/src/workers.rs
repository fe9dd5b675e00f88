//! Background workers.

mod purge;

pub(crate) use purge::PurgeWorker;
