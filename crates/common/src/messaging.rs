//! Messages between services: the bus with its adapters, consumers, the outbox relay and dead letters.

pub mod bus;
pub mod consumer;
mod dead_letters;
mod outbox_relay;
