//! Payment service as a separate process.

use std::process::ExitCode;

use payment_service::config::Config;
use payment_service::{NAME, app};

fn main() -> ExitCode {
    common::runtime::main(NAME, Config::from_env, |config| &config.backend.platform, app::build)
}
