//! `shopfleet audit`: checks the invariants of a running fleet.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use audit::{Limits, Rule, Verdict};
use contracts::Money;

use crate::CliError;
use crate::admin_client::{AdminClient, FleetSelector};
use crate::output::print_line;

mod watch;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    selector: FleetSelector,
    /// Longest wait for differences in flight to disappear, in seconds.
    #[arg(long, default_value_t = 60)]
    wait: u64,
    /// Age from which an unchanged difference is a violation, in seconds.
    #[arg(long, default_value_t = 15)]
    grace: u64,
    /// Repeats the audit and reports changes.
    #[arg(long)]
    watch: bool,
    /// Interval between two audits in seconds, with --watch.
    #[arg(long, default_value_t = 30, requires = "watch")]
    interval: u64,
    /// Port of the audit's own /metrics, with --watch.
    #[arg(long, requires = "watch")]
    metrics_port: Option<u16>,
    /// Address that /metrics listens on.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), requires = "watch")]
    metrics_host: IpAddr,
}

pub(crate) async fn run(args: Args) -> Result<(), CliError> {
    AdminClient::with_session(&args.selector, async |client| perform(client, &args).await).await
}

async fn perform(client: &AdminClient, args: &Args) -> Result<(), CliError> {
    let limits = Limits { wait: Duration::from_secs(args.wait), grace: Duration::from_secs(args.grace) };
    if args.watch {
        let server = args.metrics_port.map(|port| (args.metrics_host, port));
        return watch::run(client, limits, Duration::from_secs(args.interval), server).await;
    }
    let verdict = audit::audit(client, limits).await?;
    print_verdict(&verdict);
    outcome(&verdict)
}

/// Prints what was compared and found.
pub(super) fn print_verdict(verdict: &Verdict) {
    let totals = verdict.snapshot.totals();
    let amount = Money::from_cents;
    print_line(format_args!(
        "{} products: {} pieces available, {} reserved, {} sold",
        totals.products, totals.pieces_available, totals.pieces_reserved, totals.pieces_sold
    ));
    let (captured, refunded) = (amount(totals.captured_cents), amount(totals.refunded_cents));
    print_line(format_args!(
        "{} orders, {} payments: {captured} captured, {refunded} refunded",
        totals.orders, totals.payments
    ));
    if totals.outside_cents > 0 {
        print_line(format_args!("{} refunded manually, outside the provider", amount(totals.outside_cents)));
    }
    if totals.awaiting_cents > 0 {
        print_line(format_args!(
            "{} owed to customers awaits the next attempt, or an admin who retries or settles the refund",
            amount(totals.awaiting_cents)
        ));
    }
    if verdict.snapshot.provider.is_some() {
        let (received, refunded) = (amount(totals.provider_received_cents), amount(totals.provider_refunded_cents));
        let intents = totals.provider_intents;
        print_line(format_args!("provider: {intents} intents: {received} captured, {refunded} refunded"));
    } else {
        print_line("provider: NOT COMPARED; set STRIPE_API_URL and STRIPE_SECRET_KEY");
    }
    if verdict.snapshot.dead_letters.is_none() {
        print_line("dead letters: NOT COMPARED; set ADMIN_EMAIL and ADMIN_PASSWORD");
    }
    for violation in &verdict.violations {
        print_line(format_args!("VIOLATION {violation}"));
    }
    for finding in &verdict.in_flight {
        print_line(format_args!("in flight {finding}"));
    }
    let (violations, seconds) = (verdict.violations.len(), verdict.elapsed.as_secs_f32());
    print_line(format_args!("{violations} violations, {} rules, {seconds:.1} s", Rule::ALL.len()));
}

/// Returns an error if an invariant is violated or a difference never settled.
pub(super) fn outcome(verdict: &Verdict) -> Result<(), CliError> {
    match (verdict.violations.len(), verdict.in_flight.len()) {
        (0, 0) => Ok(()),
        (0, n) => Err(CliError::new(format!("{n} differences are in flight: raise --wait, or stop the traffic"))),
        (n, _) => Err(CliError::new(format!("{n} invariants are violated"))),
    }
}
