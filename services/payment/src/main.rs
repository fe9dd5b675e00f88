//! The payment service as a process of its own.

use std::process::ExitCode;

use payment_service::config::Config;
use payment_service::{NAME, app};

fn main() -> ExitCode {
    common::service::main(NAME, Config::from_env, |config| &config.platform, app::build)
}
