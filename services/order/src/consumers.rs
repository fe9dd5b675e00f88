//! Consumers of other services' events.

use common::database::transaction_effects::InboxRecord;
use common::telemetry;
use contracts::topology::{
    ORDER_DELETED_USERS, ORDER_PAYMENTS, ORDER_PRODUCTS, ORDER_REFUND_FAILURES, ORDER_REVOCATIONS, Queue,
};
use contracts::{Envelope, Event};

use crate::domain::TimelineEntry;
use crate::service::ConsumedMessage;

mod deleted_users;
mod payment_events;
mod stock_events;

pub(crate) use deleted_users::DeletedUserHandler;
pub(crate) use payment_events::PaymentEventHandler;
pub(crate) use stock_events::StockEventHandler;

/// Queues that the service consumes.
pub(crate) const CONSUMED_QUEUES: &[Queue] =
    &[ORDER_PRODUCTS, ORDER_PAYMENTS, ORDER_REFUND_FAILURES, ORDER_DELETED_USERS, ORDER_REVOCATIONS];

/// Returns the inbox record and the timeline entry of a received event.
fn consumed(event: &Event, inbox: InboxRecord, envelope: &Envelope) -> ConsumedMessage {
    ConsumedMessage { inbox, entry: TimelineEntry::from_received(event, envelope, telemetry::trace_id()) }
}
