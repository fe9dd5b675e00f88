//! The command line: the whole fleet in one process, a demonstration, a doctor, and the servers that stand beside
//! separate services.

use std::fmt::Display;
use std::future::Future;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod audit;
mod chaos;
mod demo;
mod dlq;
mod doctor;
mod edge;
mod fault;
pub mod fleet;
mod operator;
mod up;
mod why;

/// Why a command ends with exit code 1: what is wrong and what to do, a line each.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failure(String);

impl Failure {
    /// From a text of one line or more.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// What was being done, and why it failed.
    pub fn doing(what: impl Display, error: &(dyn std::error::Error + 'static)) -> Self {
        Self(format!("{what}: {}", common::chain(error)))
    }
}

/// An e-commerce backend as a fleet of four services. Without a command it does what `up` does.
#[derive(Parser)]
#[command(name = "shopfleet", version, about, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    up: up::Args,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the whole fleet in this process, with nothing else installed.
    Up(up::Args),
    /// Plays a customer, who ends with a paid order, against a running fleet or one that it starts for itself.
    Demo(demo::Args),
    /// Checks each setting and each server, and says how to mend what is wrong.
    Doctor(doctor::Args),
    /// States whether every invariant of a running fleet holds: goods, money, events, the provider's ledger.
    Audit(audit::Args),
    /// Kills a fleet of its own again and again while customers buy, and audits what is left.
    Chaos(chaos::Args),
    /// Tells what happened to an order, step by step, and what caused it.
    Why(why::Args),
    /// Lists messages that were given up, shows them, puts them back or removes them.
    Dlq(dlq::Args),
    /// Lists the faults that can be put into a running fleet, puts one in or takes it out.
    Fault(fault::Args),
    /// Runs the gateway alone, in front of separate services.
    Gateway(edge::GatewayArgs),
    /// Runs the Stripe sandbox alone.
    StripeSandbox(edge::SandboxArgs),
    /// Asks a server whether it is well, for containers without a shell: the exit code says it.
    Health(edge::HealthArgs),
}

/// Runs the command that the process's arguments name.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    common::client::install_tls();
    match cli.command.unwrap_or(Command::Up(cli.up)) {
        Command::Up(args) => block_on(up::run(args)),
        Command::Demo(args) => block_on(demo::run(args)),
        Command::Doctor(args) => block_on(doctor::run(args)),
        Command::Audit(args) => block_on(audit::run(args)),
        Command::Chaos(args) => block_on(chaos::run(args)),
        Command::Why(args) => block_on(why::run(args)),
        Command::Dlq(args) => block_on(dlq::run(args)),
        Command::Fault(args) => block_on(fault::run(args)),
        Command::Gateway(args) => block_on(edge::gateway(args)),
        Command::StripeSandbox(args) => block_on(edge::stripe_sandbox(args)),
        Command::Health(args) => block_on(edge::health(args)),
    }
}

#[expect(clippy::print_stderr, reason = "a command line tells its user what went wrong")]
fn block_on(command: impl Future<Output = Result<(), Failure>>) -> ExitCode {
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::doing("cannot start the runtime", &error))
        .and_then(|runtime| runtime.block_on(command));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("shopfleet: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Writes a line to standard output; a reader that has gone away is no fault of ours.
fn say(line: impl Display) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout(), "{line}");
}
