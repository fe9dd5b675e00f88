//! Gauge of dead letters, refreshed periodically instead of on scrape.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use contracts::topology::Queue;
use prometheus::IntGaugeVec;

use super::bus::Bus;
use crate::task::worker::{NextRun, Worker, WorkerError};

/// Time between two counts.
const INTERVAL: Duration = Duration::from_secs(5);

impl Bus {
    /// Returns the worker that counts the dead letters of queues.
    #[must_use]
    pub fn dead_letter_gauge(&self, queues: &'static [Queue]) -> Arc<dyn Worker> {
        Arc::new(DeadLetterGauge::new(self.clone(), queues))
    }
}

struct DeadLetterGauge {
    bus: Bus,
    queues: &'static [Queue],
    gauge: IntGaugeVec,
}

impl DeadLetterGauge {
    fn new(bus: Bus, queues: &'static [Queue]) -> Self {
        let gauge = bus.metrics().gauge_vec("messaging_dead_letters", "Messages in the dead-letter queue.", &["queue"]);
        for queue in queues {
            gauge.with_label_values(&[queue.name]).set(0);
        }
        Self { bus, queues, gauge }
    }
}

#[async_trait]
impl Worker for DeadLetterGauge {
    fn name(&self) -> &'static str {
        "dead-letter-count"
    }

    async fn step(&self) -> Result<NextRun, WorkerError> {
        for queue in self.queues {
            let dead = self.bus.count_dead_letters(queue.name).await?;
            self.gauge.with_label_values(&[queue.name]).set(i64::try_from(dead).unwrap_or(i64::MAX));
        }
        Ok(NextRun::OnWake)
    }

    fn interval(&self) -> Duration {
        INTERVAL
    }
}
