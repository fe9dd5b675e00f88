//! `shopfleet chaos`: customers buy from a fleet whose processes are killed repeatedly; an audit then checks that nothing
//! was lost or duplicated.

use std::sync::Arc;
use std::time::Duration;

use audit::{Limits, audit};
use fleet_harness::{Fleet, FleetServers, HarnessError, LoadGenerator};
use rand::RngExt as _;
use stripe_sandbox::FaultRates;
use tokio::time::Instant;

use super::audit::{outcome, print_verdict};
use crate::CliError;
use crate::admin_client::AdminClient;
use crate::output::print_line;

mod kill_targets;

use kill_targets::KillTargets;

/// Product that the customers buy, and the pieces added to it, so that it never sells out.
const PRODUCT: i64 = 1;
const PIECES: i64 = 10_000_000;
/// Settings of the fleet: reservations whose orders were never committed expire while the audit waits.
const SETTINGS: [(&str, &str); 1] = [("RESERVATION_TTL", "10")];
/// Pause between the end of a recovery and the next kill, in milliseconds.
const BETWEEN_KILLS: std::ops::Range<u64> = 50..750;
/// Time limits of the final audit.
const LIMITS: Limits = Limits { wait: Duration::from_secs(180), grace: Duration::from_secs(45) };
/// Fault rates of a hostile provider.
const HOSTILE: FaultRates = FaultRates {
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
    /// Duration in seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Number of concurrent customers.
    #[arg(long, default_value_t = 8)]
    clients: usize,
    /// Maximum number of kills; unlimited by default.
    #[arg(long)]
    kills: Option<usize>,
    /// Runs two instances of each service on real servers (PostgreSQL, MongoDB, Redis, RabbitMQ, Consul) that are installed
    /// on this machine and started in a temporary folder; kills servers too.
    #[arg(long)]
    servers: bool,
    /// Makes the provider hostile: webhooks are duplicated, delayed, dropped, forged and wrong, calls fail after they took
    /// effect, are declined or hang, and successful refunds fail later.
    #[arg(long)]
    hostile: bool,
}

impl From<HarnessError> for CliError {
    fn from(error: HarnessError) -> Self {
        Self::context("chaos", &error)
    }
}

pub(crate) async fn run(args: Args) -> Result<(), CliError> {
    let fleet = Arc::new(start(&args).await?);
    let client = AdminClient::for_fleet(&fleet.run.services, &fleet.run.stripe, &fleet.credentials()?)?;
    print_line(format_args!(
        "{} at {}: {} customers for {} s{}",
        if args.servers { "two instances of each service on real servers" } else { "an embedded fleet" },
        fleet.run.gateway,
        args.clients,
        args.seconds,
        if args.hostile { ", a hostile provider" } else { "" }
    ));
    fleet.admin().await?.restock(PRODUCT, PIECES).await?;
    set_provider_faults(&fleet, if args.hostile { HOSTILE } else { FaultRates::default() }).await?;
    let load = LoadGenerator::start(&fleet, args.clients, PRODUCT).await?;
    load.phase("chaos");
    load.until_accepted().await?;

    let started = Instant::now();
    let targets = kill_repeatedly(&args, &fleet, &load).await?;
    let elapsed = started.elapsed();
    set_provider_faults(&fleet, FaultRates::default()).await?;
    let (report, table) = load.end().await?;
    let accepted = report.orders.len();
    print_line(format_args!("{accepted} orders accepted in {:.0} s", elapsed.as_secs_f32()));
    print_line(targets.report());
    print_line(format_args!("responses to customers:\n{table}"));

    let verdict = audit(&client, LIMITS).await?;
    print_verdict(&verdict);
    let missing = missing_orders(&fleet, &report.orders).await?;
    print_line(format_args!("{} of {accepted} accepted orders are lost", missing.len()));
    if !missing.is_empty() {
        return Err(CliError::new(format!("accepted orders are lost: {}", missing.join(", "))));
    }
    outcome(&verdict)
}

async fn start(args: &Args) -> Result<Fleet, HarnessError> {
    if !args.servers {
        return Fleet::embedded(&SETTINGS).await;
    }
    let servers = FleetServers::start(true).await?;
    Fleet::multi_process(Some(servers), 2, &SETTINGS).await
}

/// Kills one target after another until the time or the number of kills is reached.
async fn kill_repeatedly(args: &Args, fleet: &Arc<Fleet>, load: &LoadGenerator) -> Result<KillTargets, CliError> {
    let end = Instant::now() + Duration::from_secs(args.seconds);
    let mut targets = KillTargets::new(fleet, args.servers);
    while Instant::now() < end && args.kills.is_none_or(|kills| targets.kills() < kills) {
        tokio::time::sleep(Duration::from_millis(rand::rng().random_range(BETWEEN_KILLS))).await;
        targets.kill_one().await?;
        if args.hostile {
            // The kill may have hit the sandbox, which loses its faults.
            set_provider_faults(fleet, HOSTILE).await?;
        }
        let ready = Instant::now();
        load.until_accepted().await?;
        targets.record_accepted(ready.elapsed());
    }
    Ok(targets)
}

async fn set_provider_faults(fleet: &Fleet, faults: FaultRates) -> Result<(), CliError> {
    let credentials = fleet.credentials()?;
    let key = credentials["stripe"]["secret_key"].as_str().unwrap_or_default();
    let request = reqwest::Client::new().put(format!("{}/sandbox/behaviour", fleet.run.stripe)).bearer_auth(key);
    let response = request.json(&faults).send().await;
    let response = response.map_err(|error| CliError::context("the sandbox is unavailable", &error))?;
    if response.status().is_success() {
        Ok(())
    } else {
        Err(CliError::new(format!("the sandbox responded {}", response.status())))
    }
}

/// Returns the ids of accepted orders that no longer exist.
async fn missing_orders(fleet: &Fleet, accepted: &[serde_json::Value]) -> Result<Vec<String>, CliError> {
    let admin = fleet.admin().await?;
    let mut missing = Vec::new();
    for order in accepted {
        let id = order["id"].as_str().unwrap_or_default();
        let found = admin.get(&format!("/api/orders/{id}")).await?;
        if found.status != 200 || found.body["order_number"] != order["order_number"] {
            missing.push(id.to_owned());
        }
    }
    Ok(missing)
}
