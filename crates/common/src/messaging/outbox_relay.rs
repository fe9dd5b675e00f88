//! Relay that publishes the events of an outbox.
//!
//! A relay claims rows with a lease, publishes them, and deletes them. Several relays may run at once; rows of a relay
//! that stopped are claimed again after their lease. An event may be published twice, but never zero times.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use contracts::topology::{EXCHANGES, has_consumer};
use contracts::{EventId, EventType};
use prometheus::{GaugeVec, IntGaugeVec};
use tokio::sync::Notify;
use tracing::{Span, field};

use super::bus::{Bus, BusError, Message};
use crate::database::outbox::{Outbox, OutboxRow, retry_at};
use crate::database::store::StoreError;
use crate::fault::failpoint;
use crate::task::worker::{NextRun, Worker, WorkerError};
use crate::telemetry;
use crate::telemetry::clock::SharedClock;
use crate::telemetry::metrics::Metrics;

/// Maximum number of events per batch.
const BATCH: u32 = 200;
/// Duration of a claim: far longer than a batch takes, and the maximum delay of events whose relay stopped.
const LEASE: Duration = Duration::from_secs(5);
/// Time between two reports of the pending events, which count them.
const HOUSEKEEPING: Duration = Duration::from_secs(1);
/// Retention of inbox records: far longer than any queue holds a message.
const INBOX_RETENTION: Duration = Duration::from_secs(30 * 24 * 3600);

impl Outbox {
    /// Returns the worker that publishes the events of the outbox.
    #[must_use]
    pub fn relay(&self, bus: Bus, clock: SharedClock, metrics: &Metrics) -> Arc<dyn Worker> {
        Arc::new(Relay {
            outbox: self.clone(),
            bus,
            clock,
            pending: metrics.gauge_vec("outbox_pending_events", "Pending events.", &[]),
            oldest: metrics.float_gauge_vec("outbox_oldest_event_seconds", "Age of the oldest pending event.", &[]),
            housekeeping: AtomicI64::new(0),
        })
    }
}

struct Relay {
    outbox: Outbox,
    bus: Bus,
    clock: SharedClock,
    pending: IntGaugeVec,
    oldest: GaugeVec,
    /// Time of the last housekeeping in milliseconds since the epoch.
    housekeeping: AtomicI64,
}

impl Relay {
    /// Creates the message of an event and the span of its publishing, which continues the event's trace.
    fn message(&self, row: OutboxRow) -> Result<(Message, Span), WorkerError> {
        let OutboxRow { envelope, traceparent } = row;
        let kind = EventType::ALL.iter().find(|kind| kind.as_str() == envelope.event_type);
        // A newer version that shares the database may have written an event type that is unknown here. A queue must
        // accept it: if none does, the newer version publishes it.
        let (exchange, mandatory) = match kind {
            Some(kind) => (kind.exchange(), has_consumer(*kind)),
            None => (exchange_of(&envelope.event_type)?, true),
        };
        let span = tracing::info_span!(
            "publish",
            otel.name = format!("publish {}", envelope.event_type),
            otel.kind = "producer",
            otel.status_code = field::Empty,
            service.name = self.bus.service(),
            messaging.system = self.bus.system(),
            messaging.operation.name = "publish",
            messaging.operation.type = "send",
            messaging.destination.name = exchange,
            messaging.rabbitmq.destination.routing_key = envelope.event_type,
            messaging.message.id = %envelope.id,
        );
        telemetry::continue_trace(&span, traceparent.as_deref());
        let traceparent = telemetry::traceparent_of(&span).or(traceparent);
        let message = Message::routed(&envelope, exchange, mandatory, traceparent)?;
        Ok((message, span))
    }

    /// Publishes a batch; if the bus rejects it because of one message, publishes each message alone.
    async fn publish(&self, messages: &[Message]) -> Result<Vec<Result<(), BusError>>, BusError> {
        match self.bus.publish(messages).await {
            Err(BusError::Rejected(_)) => {}
            outcomes => return outcomes,
        }
        let mut outcomes = Vec::with_capacity(messages.len());
        for message in messages {
            match self.bus.publish(std::slice::from_ref(message)).await {
                Ok(outcome) => outcomes.extend(outcome),
                Err(rejected @ BusError::Rejected(_)) => outcomes.push(Err(rejected)),
                Err(unavailable) => return Err(unavailable),
            }
        }
        Ok(outcomes)
    }

    /// Postpones events that the bus rejects, each for its own age.
    async fn postpone(&self, events: &[(EventId, DateTime<Utc>, String)]) -> Result<(), StoreError> {
        let now = self.clock.now();
        for (id, at, error) in events {
            tracing::error!(event_id = %id, error, "event rejected by the bus; retrying later");
            self.outbox.store().mark_failed(&[*id], retry_at(*at, now)).await?;
        }
        if events.is_empty() { Ok(()) } else { self.report().await }
    }

    /// Deletes old inbox records and reports the pending events, at most once per [`HOUSEKEEPING`].
    async fn housekeeping(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let last = self.housekeeping.load(Ordering::Relaxed);
        if Duration::from_millis(now.timestamp_millis().abs_diff(last)) < HOUSEKEEPING {
            return Ok(());
        }
        self.housekeeping.store(now.timestamp_millis(), Ordering::Relaxed);
        self.outbox.store().forget_handled(now - INBOX_RETENTION).await?;
        self.report().await
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

    async fn step(&self) -> Result<NextRun, WorkerError> {
        let store = self.outbox.store();
        let rows = store.claim(BATCH, LEASE, self.clock.now()).await?;
        self.housekeeping().await?;
        if rows.is_empty() {
            return Ok(NextRun::OnWake);
        }
        let (mut events, mut messages, mut rejected) = (Vec::new(), Vec::new(), Vec::new());
        for row in rows {
            let (id, at) = (row.envelope.id, row.envelope.timestamp);
            match self.message(row) {
                Ok((message, span)) => {
                    events.push((id, at, span));
                    messages.push(message);
                }
                Err(error) => rejected.push((id, at, crate::error_chain(&*error))),
            }
        }
        hit_failpoints("before-publish", &messages);
        let outcomes = match self.publish(&messages).await {
            Ok(outcomes) => outcomes,
            Err(error) => {
                events.iter().for_each(|(.., span)| failed(span));
                let ids: Vec<_> = events.iter().map(|(id, ..)| *id).collect();
                store.mark_failed(&ids, self.clock.now()).await?;
                self.postpone(&rejected).await?;
                self.report().await?;
                return Err(error.into());
            }
        };
        hit_failpoints("after-publish", &messages);
        let (mut published, mut returned, mut failure) = (Vec::new(), Vec::new(), None);
        for ((id, at, span), outcome) in events.into_iter().zip(outcomes) {
            match outcome {
                Ok(()) => published.push(id),
                Err(error) => {
                    failed(&span);
                    if matches!(error, BusError::Unavailable(_)) {
                        returned.push(id);
                        failure = Some(error);
                    } else {
                        rejected.push((id, at, crate::error_chain(&error)));
                    }
                }
            }
        }
        store.mark_published(&published).await?;
        hit_failpoints("after-mark", &messages);
        self.postpone(&rejected).await?;
        if let Some(failure) = failure {
            store.mark_failed(&returned, self.clock.now()).await?;
            return Err(
                format!("{} events were not published: {}", returned.len(), crate::error_chain(&failure)).into()
            );
        }
        Ok(NextRun::Now)
    }

    fn wake(&self) -> Option<Arc<Notify>> {
        Some(self.outbox.wake())
    }
}

/// Returns the exchange of an event type by its name: `order.events` of `order.updated`.
fn exchange_of(event_type: &str) -> Result<&'static str, WorkerError> {
    let source = event_type.split('.').next().unwrap_or_default();
    let exchange = EXCHANGES.iter().find(|exchange| exchange.strip_suffix(".events") == Some(source));
    Ok(exchange.ok_or_else(|| format!("no exchange for the unknown event type `{event_type}`"))?)
}

fn hit_failpoints(place: &'static str, messages: &[Message]) {
    for message in messages {
        failpoint::hit(place, || message.event_type.clone());
    }
}

fn failed(span: &Span) {
    span.record("otel.status_code", "ERROR");
}
