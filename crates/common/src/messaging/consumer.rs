//! Consumer of a queue: passes each message to its handler and settles it by the outcome.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use contracts::topology::Queue;
use futures::FutureExt as _;
use prometheus::{HistogramVec, IntCounter, IntGauge};
use tokio::task::JoinSet;
use tracing::{Instrument as _, Span, field};

use super::bus::{Bus, BusError, Delivery};
use crate::database::transaction_effects::InboxRecord;
use crate::fault::failpoint;
use crate::task::backoff::Backoff;
use crate::task::panic::panic_message;
use crate::task::shutdown::Shutdown;
use crate::telemetry;
use crate::telemetry::clock::SharedClock;

mod handler;
mod pause_backoff;

pub use handler::{EventHandler, HandleError, ignore_already_handled};
use pause_backoff::PauseBackoff;

/// Maximum number of messages in progress.
const PREFETCH: u16 = 8;
/// Failed attempts after which a message is dead-lettered.
pub const MAX_ATTEMPTS: u32 = 10;
/// Delay of a message whose handling needs an unavailable dependency.
const RELEASE_DELAY: Duration = Duration::from_millis(100);
/// Delays of failed messages.
const RETRY_BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(30));
/// Pause before the consumer subscribes again after an error.
const RESUBSCRIBE_PAUSE: Duration = Duration::from_secs(1);
/// Consumer of one queue for one service.
pub struct Consumer {
    context: ConsumerContext,
}

#[derive(Clone)]
struct ConsumerContext {
    bus: Bus,
    queue: Queue,
    handler: Arc<dyn EventHandler>,
    clock: SharedClock,
    durations: HistogramVec,
    lag: HistogramVec,
    retries: IntCounter,
    dead_lettered: IntCounter,
    paused: IntGauge,
    pause_backoff: Arc<PauseBackoff>,
}

impl Consumer {
    /// Creates a consumer, which starts with `run`.
    #[must_use]
    pub fn new(bus: Bus, handler: Arc<dyn EventHandler>, clock: SharedClock) -> Self {
        let metrics = bus.metrics().clone();
        let help = "Duration of message handling by queue and outcome.";
        let durations = metrics.histogram_vec("messaging_process_duration_seconds", help, &["queue", "outcome"]);
        let help = "Time from an event to the start of its handling.";
        let lag = metrics.histogram_vec("messaging_lag_seconds", help, &["queue"]);
        let (queue, own) = (handler.queue(), &[handler.queue().name]);
        for outcome in ["ok", "unavailable", "retry", "dead"] {
            let _ = durations.with_label_values(&[queue.name, outcome]);
        }
        let _ = lag.with_label_values(own);
        let help = "Retries of messages after failed attempts.";
        let retries = metrics.counter_vec("messaging_retries_total", help, &["queue"]).with_label_values(own);
        let help = "Dead-lettered messages.";
        let dead_lettered =
            metrics.counter_vec("messaging_dead_letters_total", help, &["queue"]).with_label_values(own);
        let help = "Whether the consumer is paused because a dependency is unavailable (0 or 1).";
        let paused = metrics.gauge_vec("messaging_consumer_paused", help, &["queue"]).with_label_values(own);
        let context = ConsumerContext {
            bus,
            queue,
            handler,
            clock,
            durations,
            lag,
            retries,
            dead_lettered,
            paused,
            pause_backoff: Arc::default(),
        };
        Self { context }
    }

    /// Returns the name of the queue.
    #[must_use]
    pub fn queue(&self) -> &'static str {
        self.context.queue.name
    }

    /// Consumes until the shutdown begins and finishes the messages in progress.
    pub async fn run(self, shutdown: Shutdown) {
        loop {
            let error = tokio::select! {
                outcome = self.listen(&shutdown) => match outcome {
                    Ok(()) => return,
                    Err(error) => error,
                },
                () = shutdown.hard() => return,
            };
            let (queue, error) = (self.queue(), crate::error_chain(&error));
            tracing::warn!(queue, error, "queue subscription failed; retrying");
            tokio::select! {
                () = tokio::time::sleep(RESUBSCRIBE_PAUSE) => {}
                () = shutdown.soft() => return,
            }
        }
    }

    async fn listen(&self, shutdown: &Shutdown) -> Result<(), BusError> {
        let mut subscription = self.context.bus.subscribe(self.queue(), PREFETCH).await?;
        let mut tasks = JoinSet::new();
        let outcome = loop {
            while tasks.try_join_next().is_some() {}
            let next = async {
                tokio::time::sleep(self.context.pause_backoff.pause()).await;
                subscription.next().await
            };
            tokio::select! {
                () = shutdown.soft() => break Ok(()),
                next = next => match next {
                    Ok(delivery) => {
                        let context = self.context.clone();
                        tasks.spawn(async move { context.process(delivery).await });
                    }
                    Err(error) => break Err(error),
                },
            }
        };
        while tasks.join_next().await.is_some() {}
        subscription.close().await?;
        outcome
    }
}

impl ConsumerContext {
    async fn process(&self, delivery: Delivery) {
        let (begun, round) = (Instant::now(), self.pause_backoff.round());
        let span = tracing::info_span!(
            "process",
            otel.name = format!("process {}", self.queue.name),
            otel.kind = "consumer",
            otel.status_code = field::Empty,
            service.name = self.bus.service(),
            messaging.system = self.bus.system(),
            messaging.operation.name = "process",
            messaging.operation.type = "process",
            messaging.destination.name = self.queue.name,
            messaging.message.id = %delivery.message.id,
            order.id = field::Empty,
            error.type = field::Empty,
        );
        telemetry::continue_trace(&span, delivery.message.traceparent.as_deref());
        let lag = (self.clock.now() - delivery.message.timestamp).to_std().unwrap_or_default();
        self.lag.with_label_values(&[self.queue.name]).observe(lag.as_secs_f64());
        async {
            let (queue, event) = (self.queue.name, delivery.message.event_type.clone());
            let about = || format!("{queue} {event}");
            failpoint::hit("before-handling", about);
            let handled = self.handle(&delivery).await;
            failpoint::hit("before-ack", about);
            let (outcome, settled) = self.settle(delivery, handled, round).await;
            failpoint::hit("after-ack", about);
            if outcome != "ok" {
                Span::current().record("otel.status_code", "ERROR").record("error.type", outcome);
            }
            if let Err(error) = settled {
                let error = crate::error_chain(&error);
                tracing::warn!(queue, error, "message not settled; it will be redelivered");
            }
            self.durations.with_label_values(&[self.queue.name, outcome]).observe(begun.elapsed().as_secs_f64());
        }
        .instrument(span)
        .await;
    }

    async fn handle(&self, delivery: &Delivery) -> Result<(), HandleError> {
        let envelope = delivery.message.envelope().map_err(|error| HandleError::Rejected(error.into()))?;
        match envelope.event().map_err(|error| HandleError::Rejected(error.into()))? {
            Some(event) if self.queue.events.contains(&event.event_type()) => {
                if let Some(order) = event.order_id() {
                    telemetry::record_order_id(order);
                }
                let handled = InboxRecord { consumer: self.queue.name, event_id: envelope.id };
                // A panic counts as a failure of the message: otherwise it would be delivered for ever, uncounted.
                let handling = AssertUnwindSafe(self.handler.handle(event, handled, &envelope)).catch_unwind();
                handling.await.unwrap_or_else(|panic| {
                    Err(HandleError::Rejected(format!("handler panicked: {}", panic_message(&*panic)).into()))
                })
            }
            _ => Err(HandleError::UnknownType(format!("unknown event type `{}`", envelope.event_type))),
        }
    }

    async fn settle(
        &self,
        delivery: Delivery,
        handled: Result<(), HandleError>,
        round: u32,
    ) -> (&'static str, Result<(), BusError>) {
        if !matches!(handled, Err(HandleError::Unavailable(_))) {
            self.pause_backoff.reset();
            self.paused.set(0);
        }
        match handled {
            Ok(()) => ("ok", delivery.ack().await),
            Err(HandleError::Unavailable(error)) => {
                self.paused.set(1);
                if self.pause_backoff.record_failure(round) && round == 0 {
                    let (queue, error) = (self.queue.name, crate::error_chain(&*error));
                    tracing::warn!(queue, error, "consumer paused");
                }
                ("unavailable", delivery.release(RELEASE_DELAY).await)
            }
            Err(HandleError::UnknownType(reason)) => {
                self.dead_lettered.inc();
                ("dead", delivery.dead_letter(&reason).await)
            }
            Err(HandleError::Rejected(error)) => {
                let reason = crate::error_chain(&*error);
                let attempts = delivery.attempts + 1;
                if attempts >= MAX_ATTEMPTS {
                    self.dead_lettered.inc();
                    ("dead", delivery.dead_letter(&reason).await)
                } else {
                    self.retries.inc();
                    ("retry", delivery.retry(RETRY_BACKOFF.jittered(attempts), &reason).await)
                }
            }
        }
    }
}
