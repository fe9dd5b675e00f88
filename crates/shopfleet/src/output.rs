//! Standard output.

use std::fmt::Display;
use std::io::Write as _;

/// Writes a line to standard output. A closed output is no error.
pub(crate) fn print_line(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
