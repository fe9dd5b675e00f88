//! Handlers of events from other services.

use contracts::topology::{PRODUCT_DELETED_USERS, PRODUCT_ORDERS, PRODUCT_REVOCATIONS, Queue};

mod deleted_users;
mod order_events;

pub(crate) use deleted_users::DeletedUserHandler;
pub(crate) use order_events::OrderEventHandler;

/// Queues that the service consumes.
pub(crate) const CONSUMED_QUEUES: &[Queue] = &[PRODUCT_ORDERS, PRODUCT_DELETED_USERS, PRODUCT_REVOCATIONS];
