//! The command line of Shopfleet.

use std::process::ExitCode;

fn main() -> ExitCode {
    shopfleet::run()
}
