//! How many messages were given up and lie there: counted at intervals, not when somebody looks.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use contracts::topology::Queue;
use prometheus::IntGaugeVec;

use super::bus::Bus;
use crate::task::worker::{Next, Worker, WorkerError};

/// The time between two counts.
const INTERVAL: Duration = Duration::from_secs(5);

impl Bus {
    /// The worker that counts the messages of these queues that were given up and lie there now.
    #[must_use]
    pub fn dead_letter_count(&self, queues: &'static [Queue]) -> Arc<dyn Worker> {
        Arc::new(DeadLetterCount::new(self.clone(), queues))
    }
}

struct DeadLetterCount {
    bus: Bus,
    queues: &'static [Queue],
    gauge: IntGaugeVec,
}

impl DeadLetterCount {
    fn new(bus: Bus, queues: &'static [Queue]) -> Self {
        let gauge =
            bus.metrics().gauge_vec("messaging_dead_letters", "Messages that were given up and lie there.", &["queue"]);
        for queue in queues {
            gauge.with_label_values(&[queue.name]).set(0);
        }
        Self { bus, queues, gauge }
    }
}

#[async_trait]
impl Worker for DeadLetterCount {
    fn name(&self) -> &'static str {
        "dead-letter-count"
    }

    async fn step(&self) -> Result<Next, WorkerError> {
        for queue in self.queues {
            let dead = self.bus.count_dead(queue.name).await?;
            self.gauge.with_label_values(&[queue.name]).set(i64::try_from(dead).unwrap_or(i64::MAX));
        }
        Ok(Next::Idle)
    }

    fn interval(&self) -> Duration {
        INTERVAL
    }
}
