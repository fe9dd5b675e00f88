//! Product service as a process of its own.

use std::process::ExitCode;

use product_service::config::Config;
use product_service::{NAME, app};

fn main() -> ExitCode {
    common::runtime::main(NAME, Config::from_env, |config| &config.backend.platform, app::build)
}
