#![doc = include_str!("../README.md")]

use std::process::ExitCode;

use clap::Parser;

mod admin_client;
mod commands;
mod error;
pub mod fleet;
mod output;
mod server;

pub use error::CliError;

use commands::{Command, up};

/// E-commerce backend as a fleet of four services. Runs `up` unless a command is given.
#[derive(Parser)]
#[command(name = "shopfleet", version, about, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    up: up::Args,
}

/// Runs the command of the process's arguments.
#[must_use]
#[expect(clippy::print_stderr, reason = "a command line reports errors on standard error")]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    common::client::install_tls();
    let command = cli.command.unwrap_or(Command::Up(cli.up));
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::context("cannot start the runtime", &error))
        .and_then(|runtime| runtime.block_on(command.run()));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("shopfleet: {error}");
            ExitCode::FAILURE
        }
    }
}
