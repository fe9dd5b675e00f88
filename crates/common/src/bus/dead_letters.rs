//! How many messages were given up and lie there: counted at intervals, not when somebody looks.

use std::time::Duration;

use async_trait::async_trait;
use contracts::topology::Queue;
use prometheus::IntGaugeVec;

use super::Bus;
use crate::worker::{Next, Worker, WorkerError};

/// The time between two counts.
const INTERVAL: Duration = Duration::from_secs(5);

pub(super) struct DeadLetterCount {
    bus: Bus,
    queues: &'static [Queue],
    gauge: IntGaugeVec,
}

impl DeadLetterCount {
    pub(super) fn new(bus: Bus, queues: &'static [Queue]) -> Self {
        let gauge =
            bus.metrics.gauge_vec("messaging_dead_letters", "Messages that were given up and lie there.", &["queue"]);
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
            let dead = self.bus.backend.count_dead(queue.name).await?;
            self.gauge.with_label_values(&[queue.name]).set(i64::try_from(dead).unwrap_or(i64::MAX));
        }
        Ok(Next::Idle)
    }

    fn interval(&self) -> Duration {
        INTERVAL
    }
}
