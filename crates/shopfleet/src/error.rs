//! Error of a command.

use std::error::Error;
use std::fmt::Display;

/// Error that ends a command with exit code 1: the problem and its remedy, a line each.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CliError(String);

impl CliError {
    /// Creates an error from a text of one line or more.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Creates an error from the failed operation and its cause.
    pub fn context(operation: impl Display, error: &(dyn Error + 'static)) -> Self {
        Self(format!("{operation}: {}", common::error_chain(error)))
    }
}
