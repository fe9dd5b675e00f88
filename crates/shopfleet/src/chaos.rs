//! `shopfleet chaos`: customers buy from a fleet that is killed again and again, and an audit says whether it lost or
//! doubled anything.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt as _;
use stripe_sandbox::Behaviour;
use testkit::fleet::{Fleet, Load, Servers};
use tokio::time::Instant;

use crate::audit::{Limits, judge};
use crate::operator::Operator;
use crate::{Failure, say};

mod victims;

use victims::Victims;

/// What the customers buy, and how many pieces of it are added, so that it never runs out.
const PRODUCT: i64 = 1;
const PIECES: i64 = 10_000_000;
/// What the fleet is started with: reservations of orders that were never written are given back while the audit waits.
const SETTINGS: [(&str, &str); 1] = [("RESERVATION_TTL", "10")];
/// The pause between the end of one recovery and the next kill, in milliseconds.
const BETWEEN_KILLS: std::ops::Range<u64> = 50..750;
/// What the audit waits for at the end.
const LIMITS: Limits = Limits { wait: Duration::from_secs(180), grace: Duration::from_secs(45) };
/// A provider at its worst.
const HOSTILE: Behaviour = Behaviour {
    webhook_double: 0.2,
    webhook_delay: 0.3,
    webhook_delay_ms: 3000,
    webhook_drop: 0.1,
    webhook_forge: 0.1,
    webhook_lie: 0.2,
    error_before: 0.05,
    error_after: 0.05,
    timeout: 0.02,
    decline: 0.1,
    refund_fail_late: 0.2,
    latency_ms: 5,
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How long to go on, in seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How many customers buy at the same time.
    #[arg(long, default_value_t = 8)]
    clients: usize,
    /// How many kills at the most; as many as there is time for unless it is given.
    #[arg(long)]
    kills: Option<usize>,
    /// Two instances of each service on real servers (PostgreSQL, MongoDB, Redis, RabbitMQ, Consul), which are installed on
    /// this machine, started in a temporary folder, and killed too.
    #[arg(long)]
    servers: bool,
    /// The provider doubles, delays, drops and forges webhooks, lies in them, fails after it has done the work, declines
    /// and hangs, and refunds that succeeded fail later.
    #[arg(long)]
    hostile: bool,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let fleet = Arc::new(start(&args).await?);
    let operator = operator(&fleet, args.servers)?;
    say(format_args!(
        "{} at {}: {} customers for {} s{}",
        if args.servers { "two instances of each service on real servers" } else { "an embedded fleet" },
        fleet.run.gateway,
        args.clients,
        args.seconds,
        if args.hostile { ", a hostile provider" } else { "" }
    ));
    fleet.admin().await.restock(PRODUCT, PIECES).await;
    behave(&fleet, if args.hostile { HOSTILE } else { Behaviour::default() }).await?;
    let load = Load::begin(&fleet, args.clients, PRODUCT).await;
    load.phase("chaos");
    load.until_accepted().await;

    let begun = Instant::now();
    let (end, mut victims) = (begun + Duration::from_secs(args.seconds), Victims::of(&fleet, args.servers));
    while Instant::now() < end && args.kills.is_none_or(|kills| victims.kills() < kills) {
        tokio::time::sleep(Duration::from_millis(rand::rng().random_range(BETWEEN_KILLS))).await;
        victims.kill_one().await;
        if args.hostile {
            // The sandbox may have been among the dead, and forgets how it is to behave.
            behave(&fleet, HOSTILE).await?;
        }
        let back = Instant::now();
        load.until_accepted().await;
        victims.accepted_again_after(back.elapsed());
    }
    let seconds = begun.elapsed();
    behave(&fleet, Behaviour::default()).await?;
    let (left, table) = load.end().await;
    say(format_args!("{} orders accepted in {:.0} s", left.orders.len(), seconds.as_secs_f32()));
    say(victims.report());
    say(format_args!("what customers saw:\n{table}"));

    let verdict = judge(&operator, LIMITS).await?;
    verdict.print();
    let lost = lost(&fleet, &left.orders).await;
    say(format_args!("{} of {} accepted orders are lost", lost.len(), left.orders.len()));
    if !lost.is_empty() {
        return Err(Failure::new(format!("orders were accepted and are lost: {}", lost.join(", "))));
    }
    verdict.outcome()
}

async fn start(args: &Args) -> Result<Fleet, Failure> {
    if !args.servers {
        return Ok(Fleet::embedded(&SETTINGS).await);
    }
    let missing = || Failure::new("a server is not installed: run tests/servers/install");
    let servers = Servers::own(true).await.ok_or_else(missing)?;
    Ok(Fleet::apart(Some(servers), 2, &SETTINGS).await)
}

fn operator(fleet: &Fleet, servers: bool) -> Result<Operator, Failure> {
    if servers {
        Operator::at(&fleet.run.services, &fleet.run.stripe, &fleet.credentials())
    } else {
        Operator::embedded(Path::new(fleet.data_dir()))
    }
}

async fn behave(fleet: &Fleet, behaviour: Behaviour) -> Result<(), Failure> {
    let key = fleet.credentials()["stripe"]["secret_key"].as_str().unwrap_or_default().to_owned();
    let request = reqwest::Client::new().put(format!("{}/sandbox/behaviour", fleet.run.stripe)).bearer_auth(key);
    let answer =
        request.json(&behaviour).send().await.map_err(|error| Failure::doing("the sandbox is away", &error))?;
    if answer.status().is_success() {
        Ok(())
    } else {
        Err(Failure::new(format!("the sandbox says {}", answer.status())))
    }
}

/// The accepted orders that cannot be read any more.
async fn lost(fleet: &Fleet, accepted: &[serde_json::Value]) -> Vec<String> {
    let admin = fleet.admin().await;
    let mut lost = Vec::new();
    for order in accepted {
        let id = order["id"].as_str().unwrap_or_default();
        let found = admin.get(&format!("/api/orders/{id}")).await;
        if found.status != 200 || found.body["order_number"] != order["order_number"] {
            lost.push(id.to_owned());
        }
    }
    lost
}

/// The smallest, the middle and the largest of these, in milliseconds.
fn spread(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let millis = |time: Option<&Duration>| time.map_or(0, Duration::as_millis);
    let mut text = String::new();
    let middle = times.get(times.len() / 2);
    let _ = write!(text, "{} / {} / {} ms", millis(times.first()), millis(middle), millis(times.last()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_by_their_spread() {
        assert_eq!(spread([30, 10, 20].map(Duration::from_millis).to_vec()), "10 / 20 / 30 ms");
        assert_eq!(spread(Vec::new()), "0 / 0 / 0 ms");
    }
}
