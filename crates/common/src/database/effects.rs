//! What a change brings about beside itself, to be written with it, all or nothing.

use chrono::{DateTime, Utc};
use contracts::{Event, EventId};

use crate::database::idempotency::Keyed;

/// The events that a change causes, the message that it handles, and the answer to whoever asked for it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effects {
    /// Events to publish, in order.
    pub events: Vec<NewEvent>,
    /// The message that brought the change about, so that it has no effect again.
    pub handled: Option<Handled>,
    /// What becomes of the request's idempotency key.
    pub keyed: Option<Keyed>,
}

/// An event that is about to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// Its id for good.
    pub id: EventId,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What happened.
    pub event: Event,
    /// The trace that it belongs to (W3C trace context), for the relay to continue.
    pub traceparent: Option<String>,
}

/// A message that was handled: by whom, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handled {
    /// The queue that it came by.
    pub consumer: &'static str,
    /// Its id.
    pub event_id: EventId,
}

impl Effects {
    /// Nothing beside the change itself.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// One event, which happened at `now` in the current trace.
    #[must_use]
    pub fn of(now: DateTime<Utc>, event: Event) -> Self {
        Self::none().with(now, event)
    }

    /// Adds an event, which happened at `now` in the current trace.
    pub fn push(&mut self, now: DateTime<Utc>, event: Event) {
        let traceparent = crate::telemetry::traceparent();
        self.events.push(NewEvent { id: EventId::generate(now), at: now, event, traceparent });
    }

    /// These, and one event more.
    #[must_use]
    pub fn with(mut self, now: DateTime<Utc>, event: Event) -> Self {
        self.push(now, event);
        self
    }

    /// These, as what a request with a key brings about.
    #[must_use]
    pub fn keyed(mut self, keyed: Option<Keyed>) -> Self {
        self.keyed = keyed;
        self
    }

    /// These, as the effect of a message.
    #[must_use]
    pub fn handling(mut self, handled: Handled) -> Self {
        self.handled = Some(handled);
        self
    }
}
