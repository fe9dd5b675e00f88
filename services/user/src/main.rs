//! Binary of the user service.

use std::process::ExitCode;

use user_service::config::Config;
use user_service::{NAME, app};

fn main() -> ExitCode {
    common::runtime::main(NAME, Config::from_env, |config| &config.platform, app::build)
}
