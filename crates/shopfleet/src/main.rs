//! Binary of the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    shopfleet::run()
}
