//! `shopfleet health`: probes a health endpoint, for containers without a shell.

use crate::CliError;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Health endpoint, such as http://127.0.0.1:3010/health.
    url: String,
}

pub(crate) async fn run(args: Args) -> Result<(), CliError> {
    let probed = common::runtime::probe::check(&args.url).await;
    probed.map_err(|error| CliError::context(format_args!("{} is unhealthy", args.url), &*error))
}
