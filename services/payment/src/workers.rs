//! Background workers.

pub(crate) mod reconciler;
