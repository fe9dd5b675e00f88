//! Bus decorator that injects faults.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use contracts::EventId;
use contracts::topology::Queue;

use crate::fault::{Fault, Faults};
use crate::messaging::bus::{BusBackend, BusError, DeadLetter, Delivery, Message, Subscription};

/// Interval of checks by a stopped consumer.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Bus that fails while faults are active.
pub(crate) struct FaultyBus {
    pub(crate) inner: Arc<dyn BusBackend>,
    pub(crate) faults: Faults,
}

#[async_trait]
impl BusBackend for FaultyBus {
    async fn declare(&self, exchanges: &[&str], queues: &[Queue]) -> Result<(), BusError> {
        self.inner.declare(exchanges, queues).await
    }

    async fn publish(&self, batch: &[Message]) -> Result<Vec<Result<(), BusError>>, BusError> {
        if self.faults.should_fail(Fault::PublishErrors) {
            return Err(BusError::Unavailable("injected fault".into()));
        }
        self.inner.publish(batch).await
    }

    async fn subscribe(&self, queue: &str, prefetch: u16) -> Result<Box<dyn Subscription>, BusError> {
        let inner = self.inner.subscribe(queue, prefetch).await?;
        Ok(Box::new(FaultySubscription { inner, faults: self.faults.clone() }))
    }

    async fn dead_letters(&self, queue: Option<&str>, limit: u32) -> Result<Vec<DeadLetter>, BusError> {
        self.inner.dead_letters(queue, limit).await
    }

    async fn count_dead_letters(&self, queue: &str) -> Result<u64, BusError> {
        self.inner.count_dead_letters(queue).await
    }

    async fn redrive(&self, queue: &str, id: EventId) -> Result<bool, BusError> {
        self.inner.redrive(queue, id).await
    }

    async fn delete_dead_letter(&self, queue: &str, id: EventId) -> Result<bool, BusError> {
        self.inner.delete_dead_letter(queue, id).await
    }

    async fn ping(&self) -> Result<(), BusError> {
        self.inner.ping().await
    }

    fn system(&self) -> &'static str {
        self.inner.system()
    }
}

struct FaultySubscription {
    inner: Box<dyn Subscription>,
    faults: Faults,
}

#[async_trait]
impl Subscription for FaultySubscription {
    async fn next(&mut self) -> Result<Delivery, BusError> {
        while self.faults.should_fail(Fault::ConsumerStop) {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        let mut delivery = self.inner.next().await?;
        if self.faults.should_fail(Fault::ConsumerErrors) {
            // Only the reader sees the changed body; the queue's message is settled.
            delivery.message.body = Bytes::from_static(b"injected fault");
        }
        Ok(delivery)
    }

    async fn close(&mut self) -> Result<(), BusError> {
        self.inner.close().await
    }
}
