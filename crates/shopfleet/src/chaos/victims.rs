//! What is killed, and how long it took to come back.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt as _;
use testkit::fleet::Fleet;
use tokio::time::Instant;

use super::spread;

/// Those that may be killed, with what became of those that were.
pub(super) struct Victims {
    fleet: Arc<Fleet>,
    servers: bool,
    /// By victim: how often, the times until it was ready again, and until orders were accepted after that.
    killed: BTreeMap<String, (Vec<Duration>, Vec<Duration>)>,
    last: String,
}

impl Victims {
    /// Of an embedded fleet its process; of one on servers each instance, RabbitMQ and PostgreSQL.
    pub(super) fn of(fleet: &Arc<Fleet>, servers: bool) -> Self {
        Self { fleet: fleet.clone(), servers, killed: BTreeMap::new(), last: String::new() }
    }

    /// How many were killed.
    pub(super) fn kills(&self) -> usize {
        self.killed.values().map(|(ready, _)| ready.len()).sum()
    }

    /// Kills one by SIGKILL, starts it again, and waits until it is ready.
    pub(super) async fn kill_one(&mut self) {
        let (name, ready) = if self.servers { self.one_of_many().await } else { self.the_only_one().await };
        self.killed.entry(name.clone()).or_default().0.push(ready);
        self.last = name;
    }

    /// Orders were accepted so long after the last one was ready again.
    pub(super) fn accepted_again_after(&mut self, time: Duration) {
        if let Some((_, accepted)) = self.killed.get_mut(&self.last) {
            accepted.push(time);
        }
    }

    async fn the_only_one(&self) -> (String, Duration) {
        self.fleet.kill().await;
        let begun = Instant::now();
        self.fleet.up().await;
        ("the fleet".to_owned(), begun.elapsed())
    }

    async fn one_of_many(&self) -> (String, Duration) {
        let processes = self.fleet.processes();
        let instances: Vec<_> = processes.services().collect();
        let chosen = rand::rng().random_range(0..instances.len() + 2);
        let begun;
        let name = match instances.get(chosen) {
            Some(instance) => {
                let mut instance = instance.lock().await;
                instance.kill();
                begun = Instant::now();
                instance.start();
                instance.until_ready().await;
                instance.name.clone()
            }
            None if chosen == instances.len() => {
                let server = &processes.servers().postgres;
                server.process.kill();
                begun = Instant::now();
                server.restart().await;
                "PostgreSQL".to_owned()
            }
            None => {
                let server = &processes.servers().rabbitmq;
                server.process.kill();
                begun = Instant::now();
                server.restart().await;
                "RabbitMQ".to_owned()
            }
        };
        (name, begun.elapsed())
    }

    /// A line for each kind of victim.
    pub(super) fn report(&self) -> String {
        let mut text = format!("{} kills by SIGKILL (least / middle / most):", self.kills());
        for (name, (ready, accepted)) in &self.killed {
            let (kills, ready, accepted) = (ready.len(), spread(ready.clone()), spread(accepted.clone()));
            let _ =
                write!(text, "\n  {name:<18} {kills:>4} times: ready after {ready}, orders accepted {accepted} later");
        }
        text
    }
}
