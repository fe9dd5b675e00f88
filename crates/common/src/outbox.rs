//! The outbox: events that were committed with the data, and the relay that publishes them.
//!
//! A relay claims rows by a lease, publishes them, and marks them. Several may run at once; one that dies leaves rows
//! that the next claims when the lease has run out. An event may so be published twice, never zero times.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use contracts::calls::OutboxState;
use contracts::{Envelope, EventId, EventType};
use prometheus::{GaugeVec, IntGaugeVec};
use tokio::sync::Notify;
use tracing::{Span, field};

use crate::bus::{Bus, Message};
use crate::clock::SharedClock;
use crate::crash;
use crate::metrics::Metrics;
use crate::store::{Operations, StoreError};
use crate::telemetry;
use crate::worker::{Next, Worker, WorkerError};

pub mod postgres;
pub mod sqlite;

/// Events that a relay claims and publishes at once.
const BATCH: u32 = 200;
/// How long a claim lasts: far longer than a batch takes, and as long as events of a relay that died wait at the most.
const LEASE: Duration = Duration::from_secs(5);
/// How long a message that was handled is known to have been: far longer than any queue keeps one.
const KEEP_HANDLED: Duration = Duration::from_secs(30 * 24 * 3600);

/// An event that waits to be published.
#[derive(Clone, Debug)]
pub struct OutboxRow {
    /// The event as it will travel.
    pub envelope: Envelope,
    /// The trace that it belongs to.
    pub traceparent: Option<String>,
}

crate::store_port! {
    /// What a store has to do for the relay.
    pub trait OutboxStore, observed as "outbox" by ObservedOutbox {
        /// Claims up to `n` events, oldest first, that nobody has claimed, until `now + lease`.
        async fn claim(&self, n: u32, lease: Duration, now: DateTime<Utc>) -> Result<Vec<OutboxRow>, StoreError>;
        /// Removes them, since they were published: what is personal in them is kept no longer than it has to be.
        async fn mark_published(&self, ids: &[EventId]) -> Result<(), StoreError>;
        /// Gives them back, not before `retry_at`.
        async fn mark_failed(&self, ids: &[EventId], retry_at: DateTime<Utc>) -> Result<(), StoreError>;
        /// How many wait, and since when.
        async fn state(&self, now: DateTime<Utc>) -> Result<OutboxState, StoreError>;
        /// Forgets which messages were handled, of those that are older than `before`.
        async fn forget_handled(&self, before: DateTime<Utc>) -> Result<(), StoreError>;
    }
}

/// A service's outbox. Clones share it.
#[derive(Clone)]
pub struct Outbox {
    store: Arc<dyn OutboxStore>,
    wake: Arc<Notify>,
}

impl Outbox {
    /// The outbox in `store`; `wake` is notified after each commit that wrote to it.
    #[must_use]
    pub fn new(store: Arc<dyn OutboxStore>, wake: Arc<Notify>) -> Self {
        Self { store, wake }
    }

    /// The same outbox, whose store is measured.
    #[must_use]
    pub fn measured(self, operations: &Operations) -> Self {
        Self { store: ObservedOutbox::over(self.store, operations.clone()), ..self }
    }

    /// The store itself.
    #[must_use]
    pub fn store(&self) -> Arc<dyn OutboxStore> {
        self.store.clone()
    }

    /// How many events wait, and since when.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn state(&self, now: DateTime<Utc>) -> Result<OutboxState, StoreError> {
        self.store.state(now).await
    }

    /// The worker that publishes what is in it.
    #[must_use]
    pub fn relay(&self, bus: Bus, clock: SharedClock, metrics: &Metrics) -> Arc<dyn Worker> {
        Arc::new(Relay {
            outbox: self.clone(),
            bus,
            clock,
            pending: metrics.gauge_vec("outbox_pending_events", "Events that are not published yet.", &[]),
            oldest: metrics.float_gauge_vec("outbox_oldest_event_seconds", "Age of the oldest of them.", &[]),
        })
    }
}

struct Relay {
    outbox: Outbox,
    bus: Bus,
    clock: SharedClock,
    pending: IntGaugeVec,
    oldest: GaugeVec,
}

impl Relay {
    /// The message that carries an event, and the span of its publishing, which goes on with the trace of whoever wrote
    /// the event.
    fn message(&self, row: OutboxRow) -> Result<(Message, Span), WorkerError> {
        let OutboxRow { envelope, traceparent } = row;
        let kind = EventType::ALL.iter().find(|kind| kind.as_str() == envelope.event_type);
        let kind = kind.ok_or_else(|| format!("the outbox holds an unknown event `{}`", envelope.event_type))?;
        let span = tracing::info_span!(
            "publish",
            otel.name = format!("publish {}", kind.as_str()),
            otel.kind = "producer",
            otel.status_code = field::Empty,
            service.name = self.bus.service(),
            messaging.system = self.bus.system(),
            messaging.operation.name = "publish",
            messaging.operation.type = "send",
            messaging.destination.name = kind.exchange(),
            messaging.rabbitmq.destination.routing_key = kind.as_str(),
            messaging.message.id = %envelope.id,
        );
        telemetry::continue_trace(&span, traceparent.as_deref());
        let message = Message::carrying(&envelope, *kind, telemetry::traceparent_of(&span).or(traceparent))?;
        Ok((message, span))
    }

    async fn report(&self) -> Result<(), StoreError> {
        let state = self.outbox.state(self.clock.now()).await?;
        self.pending.with_label_values::<&str>(&[]).set(i64::try_from(state.pending).unwrap_or(i64::MAX));
        let oldest = u32::try_from(state.oldest_seconds).unwrap_or(u32::MAX);
        self.oldest.with_label_values::<&str>(&[]).set(f64::from(oldest));
        Ok(())
    }
}

#[async_trait]
impl Worker for Relay {
    fn name(&self) -> &'static str {
        "outbox-relay"
    }

    async fn step(&self) -> Result<Next, WorkerError> {
        let store = &self.outbox.store;
        let rows = store.claim(BATCH, LEASE, self.clock.now()).await?;
        if rows.is_empty() {
            store.forget_handled(self.clock.now() - KEEP_HANDLED).await?;
            self.report().await?;
            return Ok(Next::Idle);
        }
        let ids: Vec<_> = rows.iter().map(|row| row.envelope.id).collect();
        let (messages, spans) =
            rows.into_iter().map(|row| self.message(row)).collect::<Result<(Vec<_>, Vec<_>), _>>()?;
        passes("before-publish", &messages);
        let outcomes = match self.bus.publish(&messages).await {
            Ok(outcomes) => outcomes,
            Err(error) => {
                spans.iter().for_each(failed);
                store.mark_failed(&ids, self.clock.now()).await?;
                self.report().await?;
                return Err(error.into());
            }
        };
        passes("after-publish", &messages);
        spans.iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_err()).for_each(|(span, _)| failed(span));
        drop(spans);
        let (published, failed): (Vec<_>, Vec<_>) =
            ids.into_iter().zip(outcomes).partition(|(_, outcome)| outcome.is_ok());
        let published: Vec<_> = published.into_iter().map(|(id, _)| id).collect();
        store.mark_published(&published).await?;
        passes("after-mark", &messages);
        let refusal = failed.iter().find_map(|(_, outcome)| outcome.as_ref().err()).map(|error| crate::chain(error));
        let failed: Vec<_> = failed.into_iter().map(|(id, _)| id).collect();
        if let Some(refusal) = refusal {
            store.mark_failed(&failed, self.clock.now()).await?;
            return Err(format!("{} events were not taken by the bus: {refusal}", failed.len()).into());
        }
        Ok(Next::Again)
    }

    fn wake(&self) -> Option<Arc<Notify>> {
        Some(self.outbox.wake.clone())
    }
}

fn passes(place: &'static str, messages: &[Message]) {
    for message in messages {
        crash::point(place, || message.event_type.clone());
    }
}

fn failed(span: &Span) {
    span.record("otel.status_code", "ERROR");
}
