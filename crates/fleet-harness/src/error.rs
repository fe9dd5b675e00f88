//! Errors of the harness.

use std::io;
use std::time::Duration;

/// Result of a harness operation.
pub type HarnessResult<T> = Result<T, HarnessError>;

/// Error of a harness operation.
#[derive(Debug, thiserror::Error)]
pub enum HarnessError {
    /// Missing server program, or one disabled by `TEST_SERVERS=none`.
    #[error("{0} is not installed or disabled: run tests/servers/install without TEST_SERVERS=none")]
    NotInstalled(&'static str),
    /// Harness error: missing fleet binary.
    #[error("{0} is missing: run `cargo build --workspace --bins`")]
    BinaryMissing(String),
    /// Process that failed to start or exited during startup.
    #[error("{name} does not start: {log}")]
    StartFailed {
        /// Process or server.
        name: String,
        /// Log output.
        log: String,
    },
    /// Operation on a process that is not running.
    #[error("{0} is not running")]
    NotRunning(String),
    /// Operation that this kind of fleet does not support.
    #[error("{0}")]
    Unsupported(&'static str),
    /// Harness error: wait that reached its deadline.
    #[error("timed out after {deadline:?} waiting for {what}{}{log}", if log.is_empty() { "" } else { ": " })]
    TimedOut {
        /// Awaited condition.
        what: String,
        /// Deadline of the wait.
        deadline: Duration,
        /// Log output of the awaited process, if any.
        log: String,
    },
    /// Harness error: failed operating system call.
    #[error("{what}")]
    Io {
        /// Attempted operation.
        what: String,
        /// Source error.
        source: io::Error,
    },
    /// Harness error: failed helper program.
    #[error("{program} failed: {output}")]
    Command {
        /// Name of the program.
        program: String,
        /// Output of the program.
        output: String,
    },
    /// Harness error: failed HTTP request.
    #[error("{what}")]
    Http {
        /// Attempted operation.
        what: String,
        /// Source error.
        source: reqwest::Error,
    },
    /// Harness error: response other than the expected one.
    #[error("{what}: unexpected response {status} {body}")]
    UnexpectedResponse {
        /// Description of the request.
        what: String,
        /// HTTP status.
        status: u16,
        /// Response body.
        body: String,
    },
    /// Harness error: invalid data.
    #[error("{0}")]
    InvalidData(String),
}

impl HarnessError {
    /// Returns a constructor of [`HarnessError::Io`] for `map_err`.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// Returns a constructor of [`HarnessError::Http`] for `map_err`.
    pub(crate) fn http(what: impl Into<String>) -> impl FnOnce(reqwest::Error) -> Self {
        let what = what.into();
        move |source| Self::Http { what, source }
    }
}
