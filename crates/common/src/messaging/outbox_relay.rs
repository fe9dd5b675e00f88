//! The outbox: events that were committed with the data, and the relay that publishes them.
//!
//! A relay claims rows by a lease, publishes them, and marks them. Several may run at once; one that dies leaves rows
//! that the next claims when the lease has run out. An event may so be published twice, never zero times.

use std::sync::Arc;
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
use crate::task::worker::{Next, Worker, WorkerError};
use crate::telemetry;
use crate::telemetry::clock::SharedClock;
use crate::telemetry::metrics::Metrics;

/// Events that a relay claims and publishes at once.
const BATCH: u32 = 200;
/// How long a claim lasts: far longer than a batch takes, and as long as events of a relay that died wait at the most.
const LEASE: Duration = Duration::from_secs(5);
/// How long a message that was handled is known to have been: far longer than any queue keeps one.
const KEEP_HANDLED: Duration = Duration::from_secs(30 * 24 * 3600);

impl Outbox {
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
        // A newer version that shares the database may have written a kind that is not known here. A queue must take it:
        // if none does, the newer version publishes it.
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

    /// Publishes; if one message makes the bus reject the batch, each by itself.
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
                Err(away) => return Err(away),
            }
        }
        Ok(outcomes)
    }

    /// Gives back events that cannot be published for what they are, each for as long as it is old already.
    async fn postpone(&self, events: &[(EventId, DateTime<Utc>, String)]) -> Result<(), StoreError> {
        let now = self.clock.now();
        for (id, at, error) in events {
            tracing::error!(event_id = %id, error, "an event cannot be published, it is tried again later");
            self.outbox.store().mark_failed(&[*id], retry_at(*at, now)).await?;
        }
        if events.is_empty() { Ok(()) } else { self.report().await }
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
        let store = self.outbox.store();
        let rows = store.claim(BATCH, LEASE, self.clock.now()).await?;
        if rows.is_empty() {
            store.forget_handled(self.clock.now() - KEEP_HANDLED).await?;
            self.report().await?;
            return Ok(Next::Idle);
        }
        let (mut events, mut messages, mut unfit) = (Vec::new(), Vec::new(), Vec::new());
        for row in rows {
            let (id, at) = (row.envelope.id, row.envelope.timestamp);
            match self.message(row) {
                Ok((message, span)) => {
                    events.push((id, at, span));
                    messages.push(message);
                }
                Err(error) => unfit.push((id, at, crate::error_chain(&*error))),
            }
        }
        passes("before-publish", &messages);
        let outcomes = match self.publish(&messages).await {
            Ok(outcomes) => outcomes,
            Err(error) => {
                events.iter().for_each(|(.., span)| failed(span));
                let ids: Vec<_> = events.iter().map(|(id, ..)| *id).collect();
                store.mark_failed(&ids, self.clock.now()).await?;
                self.postpone(&unfit).await?;
                self.report().await?;
                return Err(error.into());
            }
        };
        passes("after-publish", &messages);
        let (mut published, mut refused, mut refusal) = (Vec::new(), Vec::new(), None);
        for ((id, at, span), outcome) in events.into_iter().zip(outcomes) {
            match outcome {
                Ok(()) => published.push(id),
                Err(error) => {
                    failed(&span);
                    if matches!(error, BusError::Unavailable(_)) {
                        refused.push(id);
                        refusal = Some(error);
                    } else {
                        unfit.push((id, at, crate::error_chain(&error)));
                    }
                }
            }
        }
        store.mark_published(&published).await?;
        passes("after-mark", &messages);
        self.postpone(&unfit).await?;
        if let Some(refusal) = refusal {
            store.mark_failed(&refused, self.clock.now()).await?;
            return Err(format!(
                "{} events were not taken by the bus: {}",
                refused.len(),
                crate::error_chain(&refusal)
            )
            .into());
        }
        Ok(Next::Again)
    }

    fn wake(&self) -> Option<Arc<Notify>> {
        Some(self.outbox.wake())
    }
}

/// The exchange of a kind by its name: `order.events` of `order.updated`.
fn exchange_of(event_type: &str) -> Result<&'static str, WorkerError> {
    let source = event_type.split('.').next().unwrap_or_default();
    let exchange = EXCHANGES.iter().find(|exchange| exchange.strip_suffix(".events") == Some(source));
    Ok(exchange.ok_or_else(|| format!("no exchange takes the unknown event `{event_type}`"))?)
}

fn passes(place: &'static str, messages: &[Message]) {
    for message in messages {
        failpoint::point(place, || message.event_type.clone());
    }
}

fn failed(span: &Span) {
    span.record("otel.status_code", "ERROR");
}
