//! Hears a queue: hands each message to its handler, and settles it by what came of it.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use contracts::topology::Queue;
use futures::FutureExt as _;
use prometheus::{HistogramVec, IntCounter, IntGauge};
use tokio::task::JoinSet;
use tracing::{Instrument as _, Span, field};

use super::bus::{Bus, BusError, Delivery};
use crate::database::effects::Handled;
use crate::fault::failpoint;
use crate::task::shutdown::Shutdown;
use crate::telemetry;
use crate::telemetry::clock::SharedClock;

mod handler;
mod pause_backoff;

pub use handler::{HandleError, Handler, handled_once};
use pause_backoff::{Away, FIRST_RETRY, doubled};

/// Messages that are handled at a time.
const PREFETCH: u16 = 8;
/// Failures of a message by its own fault until it is given up.
pub const MAX_ATTEMPTS: u32 = 10;
/// The longest pause before a failed message's next try.
const LONGEST_RETRY: Duration = Duration::from_secs(30);
/// The pause before a queue is listened to again that could not be heard.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);
/// Hears one queue for one service.
pub struct Consumer {
    work: Work,
}

#[derive(Clone)]
struct Work {
    bus: Bus,
    queue: Queue,
    handler: Arc<dyn Handler>,
    clock: SharedClock,
    durations: HistogramVec,
    lag: HistogramVec,
    retries: IntCounter,
    given_up: IntCounter,
    paused: IntGauge,
    away: Arc<Away>,
}

impl Consumer {
    /// A consumer that begins with `run`.
    #[must_use]
    pub fn new(bus: Bus, handler: Arc<dyn Handler>, clock: SharedClock) -> Self {
        let metrics = bus.metrics().clone();
        let help = "Time that messages took to be handled, by queue and outcome.";
        let durations = metrics.histogram_vec("messaging_process_duration_seconds", help, &["queue", "outcome"]);
        let help = "Time from an event to the begin of its handling.";
        let lag = metrics.histogram_vec("messaging_lag_seconds", help, &["queue"]);
        let (queue, own) = (handler.queue(), &[handler.queue().name]);
        for outcome in ["ok", "unavailable", "retry", "dead"] {
            let _ = durations.with_label_values(&[queue.name, outcome]);
        }
        let _ = lag.with_label_values(own);
        let help = "Messages that are tried again, by a fault of their own.";
        let retries = metrics.counter_vec("messaging_retries_total", help, &["queue"]).with_label_values(own);
        let help = "Messages that were given up.";
        let given_up = metrics.counter_vec("messaging_dead_letters_total", help, &["queue"]).with_label_values(own);
        let help = "Whether the consumer waits, since its store or a peer is away (0 or 1).";
        let paused = metrics.gauge_vec("messaging_consumer_paused", help, &["queue"]).with_label_values(own);
        let away = Arc::default();
        let work = Work { bus, queue, handler, clock, durations, lag, retries, given_up, paused, away };
        Self { work }
    }

    /// The queue's name.
    #[must_use]
    pub fn queue(&self) -> &'static str {
        self.work.queue.name
    }

    /// Hears until the shutdown begins; what is being handled then is finished.
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
            tracing::warn!(queue, error, "the queue cannot be heard, it is tried again");
            tokio::select! {
                () = tokio::time::sleep(LISTEN_AGAIN) => {}
                () = shutdown.soft() => return,
            }
        }
    }

    async fn listen(&self, shutdown: &Shutdown) -> Result<(), BusError> {
        let mut subscription = self.work.bus.subscribe(self.queue(), PREFETCH).await?;
        let mut tasks = JoinSet::new();
        let outcome = loop {
            while tasks.try_join_next().is_some() {}
            let next = async {
                tokio::time::sleep(self.work.away.pause()).await;
                subscription.next().await
            };
            tokio::select! {
                () = shutdown.soft() => break Ok(()),
                next = next => match next {
                    Ok(delivery) => {
                        let work = self.work.clone();
                        tasks.spawn(async move { work.process(delivery).await });
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

impl Work {
    async fn process(&self, delivery: Delivery) {
        let (begun, round) = (Instant::now(), self.away.round());
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
            failpoint::point("before-handling", about);
            let handled = self.handle(&delivery).await;
            failpoint::point("before-ack", about);
            let (outcome, settled) = self.settle(delivery, handled, round).await;
            failpoint::point("after-ack", about);
            if outcome != "ok" {
                Span::current().record("otel.status_code", "ERROR").record("error.type", outcome);
            }
            if let Err(error) = settled {
                let error = crate::error_chain(&error);
                tracing::warn!(queue, error, "a message could not be settled, it comes again");
            }
            self.durations.with_label_values(&[self.queue.name, outcome]).observe(begun.elapsed().as_secs_f64());
        }
        .instrument(span)
        .await;
    }

    async fn handle(&self, delivery: &Delivery) -> Result<(), HandleError> {
        let envelope = delivery.message.envelope().map_err(|error| HandleError::Fault(error.into()))?;
        match envelope.event().map_err(|error| HandleError::Fault(error.into()))? {
            Some(event) if self.queue.events.contains(&event.event_type()) => {
                if let Some(order) = event.order_id() {
                    telemetry::about_order(order);
                }
                let handled = Handled { consumer: self.queue.name, event_id: envelope.id };
                // A panic is a fault of the message: without this it would come again for ever, uncounted.
                let handling = AssertUnwindSafe(self.handler.handle(event, handled, &envelope)).catch_unwind();
                handling.await.unwrap_or_else(|panic| Err(HandleError::Fault(panic_text(&*panic).into())))
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
            self.away.is_back();
            self.paused.set(0);
        }
        match handled {
            Ok(()) => ("ok", delivery.ack().await),
            Err(HandleError::Unavailable(error)) => {
                self.paused.set(1);
                if self.away.failed_in(round) && round == 0 {
                    let (queue, error) = (self.queue.name, crate::error_chain(&*error));
                    tracing::warn!(queue, error, "the consumer pauses");
                }
                ("unavailable", delivery.release(FIRST_RETRY).await)
            }
            Err(HandleError::UnknownType(reason)) => {
                self.given_up.inc();
                ("dead", delivery.dead(&reason).await)
            }
            Err(HandleError::Fault(error)) => {
                let reason = crate::error_chain(&*error);
                let attempts = delivery.attempts + 1;
                if attempts >= MAX_ATTEMPTS {
                    self.given_up.inc();
                    ("dead", delivery.dead(&reason).await)
                } else {
                    self.retries.inc();
                    // Half of the pause is drawn by lot, so that messages that failed together do not come together.
                    let pause = doubled(FIRST_RETRY, attempts, LONGEST_RETRY);
                    let pause = pause / 2 + pause / 2 * rand::random_range(0..=100) / 100;
                    ("retry", delivery.retry(pause, &reason).await)
                }
            }
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("the handler panicked: {}", text.unwrap_or("it does not say why"))
}
