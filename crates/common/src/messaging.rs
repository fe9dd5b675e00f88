//! Messages between services: the bus with its adapters, consumers, the outbox relay and dead letters.
//!
//! ```
//! use common::messaging::bus::Message;
//! use contracts::{Envelope, EventType};
//!
//! fn message(envelope: &Envelope) -> serde_json::Result<Message> {
//!     Message::from_envelope(envelope, EventType::OrderCreated, None)
//! }
//! ```

pub mod bus;
pub mod consumer;
mod dead_letters;
mod outbox_relay;
