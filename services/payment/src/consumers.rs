//! Consumers of messages from other services.

use contracts::topology::{PAYMENT_ORDERS, PAYMENT_REVOCATIONS, Queue};

pub(crate) mod order_events;

/// Queues that the service consumes.
pub(crate) const CONSUMED_QUEUES: &[Queue] = &[PAYMENT_ORDERS, PAYMENT_REVOCATIONS];
