//! Commands, one module each.

use clap::Subcommand;

use crate::CliError;

mod audit;
#[cfg(feature = "chaos")]
mod chaos;
mod demo;
mod dlq;
mod doctor;
mod fault;
mod gateway;
mod health;
mod history;
mod stripe_sandbox;
pub(crate) mod up;

/// Commands of `shopfleet`.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Runs the whole fleet in this process, with nothing else installed.
    Up(up::Args),
    /// Plays a customer up to a paid order, against a running fleet or a temporary one.
    Demo(demo::Args),
    /// Checks settings and servers, and explains how to fix each problem.
    Doctor(doctor::Args),
    /// Checks the invariants of a running fleet: stock, money, events, the provider's ledger.
    Audit(audit::Args),
    /// Kills the processes of a temporary fleet repeatedly while customers buy, then audits it.
    #[cfg(feature = "chaos")]
    Chaos(chaos::Args),
    /// Shows the history of an order: each step, its cause and its ids.
    #[command(alias = "why")]
    History(history::Args),
    /// Lists, shows, redrives or deletes dead letters.
    Dlq(dlq::Args),
    /// Lists, sets or clears faults injected into a running fleet.
    Fault(fault::Args),
    /// Runs the gateway alone, in front of separate services.
    Gateway(gateway::Args),
    /// Runs the Stripe sandbox alone.
    StripeSandbox(stripe_sandbox::Args),
    /// Probes a health endpoint; exits non-zero if unhealthy.
    Health(health::Args),
}

impl Command {
    /// Runs the command to completion.
    pub(crate) async fn run(self) -> Result<(), CliError> {
        match self {
            Self::Up(args) => up::run(args).await,
            Self::Demo(args) => demo::run(args).await,
            Self::Doctor(args) => doctor::run(args).await,
            Self::Audit(args) => audit::run(args).await,
            #[cfg(feature = "chaos")]
            Self::Chaos(args) => chaos::run(args).await,
            Self::History(args) => history::run(args).await,
            Self::Dlq(args) => dlq::run(args).await,
            Self::Fault(args) => fault::run(args).await,
            Self::Gateway(args) => gateway::run(args).await,
            Self::StripeSandbox(args) => stripe_sandbox::run(args).await,
            Self::Health(args) => health::run(args).await,
        }
    }
}
