//! Effects of a change: rows that are committed with it, all or nothing.

use chrono::{DateTime, Utc};
use contracts::{Event, EventId};

use super::idempotency::IdempotencyUpdate;
use super::mail_queue::NewMail;

/// Events and mails that a change causes, the message that it handles, and the update of the request's idempotency key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effects {
    /// Events to publish, in order.
    pub events: Vec<OutboxEvent>,
    /// Mails to send.
    pub mails: Vec<NewMail>,
    /// Inbox record of the message that caused the change: the message has no effect when it is delivered again.
    pub inbox: Option<InboxRecord>,
    /// Update of the request's idempotency key.
    pub idempotency: Option<IdempotencyUpdate>,
}

/// Event to be written to the outbox.
#[derive(Clone, Debug, PartialEq)]
pub struct OutboxEvent {
    /// Permanent id of the event.
    pub id: EventId,
    /// Time of the event.
    pub at: DateTime<Utc>,
    /// Content of the event.
    pub event: Event,
    /// Trace that the relay continues (W3C trace context).
    pub traceparent: Option<String>,
}

/// Message that a consumer has handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InboxRecord {
    /// Queue that delivered the message.
    pub consumer: &'static str,
    /// Id of the message.
    pub event_id: EventId,
}

impl Effects {
    /// Returns effects without events.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Returns one event, which happened at `now` in the current trace.
    #[must_use]
    pub fn event(now: DateTime<Utc>, event: Event) -> Self {
        Self::none().with_event(now, event)
    }

    /// Adds an event, which happened at `now` in the current trace.
    pub fn push_event(&mut self, now: DateTime<Utc>, event: Event) {
        let traceparent = crate::telemetry::traceparent();
        self.events.push(OutboxEvent { id: EventId::generate(now), at: now, event, traceparent });
    }

    /// Adds an event, which happened at `now` in the current trace, and returns the effects.
    #[must_use]
    pub fn with_event(mut self, now: DateTime<Utc>, event: Event) -> Self {
        self.push_event(now, event);
        self
    }

    /// Adds a mail and returns the effects.
    #[must_use]
    pub fn with_mail(mut self, mail: NewMail) -> Self {
        self.mails.push(mail);
        self
    }

    /// Sets the update of the request's idempotency key and returns the effects.
    #[must_use]
    pub fn idempotency(mut self, update: Option<IdempotencyUpdate>) -> Self {
        self.idempotency = update;
        self
    }

    /// Sets the message that caused the change and returns the effects.
    #[must_use]
    pub fn consuming(mut self, inbox: InboxRecord) -> Self {
        self.inbox = Some(inbox);
        self
    }
}
