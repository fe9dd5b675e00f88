//! Processes to kill, with their recovery times.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use fleet_harness::{Fleet, HarnessResult};
use rand::RngExt as _;
use tokio::time::Instant;

/// Times of a target's recoveries.
#[derive(Default)]
struct Recoveries {
    /// Times until the target was ready again.
    ready: Vec<Duration>,
    /// Times from then until an order was accepted.
    accepted: Vec<Duration>,
}

/// Targets of kills and their recoveries.
pub(super) struct KillTargets {
    fleet: Arc<Fleet>,
    servers: bool,
    recoveries: BTreeMap<String, Recoveries>,
    last: String,
}

impl KillTargets {
    /// Creates the targets of a fleet: its process if it is embedded, else each instance, RabbitMQ and PostgreSQL.
    pub(super) fn new(fleet: &Arc<Fleet>, servers: bool) -> Self {
        Self { fleet: fleet.clone(), servers, recoveries: BTreeMap::new(), last: String::new() }
    }

    /// Returns the number of processes killed so far.
    pub(super) fn kills(&self) -> usize {
        self.recoveries.values().map(|recoveries| recoveries.ready.len()).sum()
    }

    /// Kills a random target by SIGKILL, starts it again, and waits until it is ready.
    pub(super) async fn kill_one(&mut self) -> HarnessResult<()> {
        let (name, ready) = if self.servers { self.kill_random().await? } else { self.kill_embedded().await? };
        self.recoveries.entry(name.clone()).or_default().ready.push(ready);
        self.last = name;
        Ok(())
    }

    /// Records the time from the last recovery until an order was accepted.
    pub(super) fn record_accepted(&mut self, time: Duration) {
        if let Some(recoveries) = self.recoveries.get_mut(&self.last) {
            recoveries.accepted.push(time);
        }
    }

    async fn kill_embedded(&self) -> HarnessResult<(String, Duration)> {
        self.fleet.kill().await?;
        let started = Instant::now();
        self.fleet.up().await?;
        Ok(("the fleet".to_owned(), started.elapsed()))
    }

    async fn kill_random(&self) -> HarnessResult<(String, Duration)> {
        let processes = self.fleet.processes()?;
        let instances: Vec<_> = processes.services().collect();
        let chosen = rand::rng().random_range(0..instances.len() + 2);
        let started;
        let name = match instances.get(chosen) {
            Some(instance) => {
                let mut instance = instance.lock().await;
                instance.kill()?;
                started = Instant::now();
                instance.start()?;
                instance.until_ready().await?;
                instance.name.clone()
            }
            None if chosen == instances.len() => {
                let server = &processes.servers()?.postgres;
                server.process.kill()?;
                started = Instant::now();
                server.restart().await?;
                "PostgreSQL".to_owned()
            }
            None => {
                let server = &processes.servers()?.rabbitmq;
                server.process.kill()?;
                started = Instant::now();
                server.restart().await?;
                "RabbitMQ".to_owned()
            }
        };
        Ok((name, started.elapsed()))
    }

    /// Returns a line per kind of target.
    pub(super) fn report(&self) -> String {
        let mut text = format!("{} kills by SIGKILL (min / median / max):", self.kills());
        for (name, Recoveries { ready, accepted }) in &self.recoveries {
            let (kills, ready, accepted) = (ready.len(), percentiles(ready.clone()), percentiles(accepted.clone()));
            let _ =
                write!(text, "\n  {name:<18} {kills:>4} times: ready after {ready}, orders accepted {accepted} later");
        }
        text
    }
}

/// Formats the minimum, median and maximum in milliseconds.
fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let millis = |time: Option<&Duration>| time.map_or(0, Duration::as_millis);
    let median = times.get(times.len() / 2);
    format!("{} / {} / {} ms", millis(times.first()), millis(median), millis(times.last()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_minimum_median_and_maximum() {
        assert_eq!(percentiles([30, 10, 20].map(Duration::from_millis).to_vec()), "10 / 20 / 30 ms");
        assert_eq!(percentiles(Vec::new()), "0 / 0 / 0 ms");
    }
}
