//! Errors of the sandbox as a whole.

/// Error that stops the sandbox. Errors of single requests are responses in Stripe's format instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Service error: invalid setting, with the reason.
    #[error("{0}")]
    Config(String),
    /// Service error: failed access to the ledger.
    #[error("ledger not accessible")]
    Database(#[from] sqlx::Error),
    /// Service error: failed migration of the ledger.
    #[error("ledger migration failed")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// Ledger with a schema that this binary is too old for.
    #[error(
        "the ledger requires schema version {least}, but this program supports only version {known}: \
         start a newer program, or use a new data directory"
    )]
    Incompatible {
        /// Newest schema version that this binary supports.
        known: i64,
        /// Oldest schema version that may use the ledger.
        least: i64,
    },
    /// Failure of the ledger's directory or the listener.
    #[error("sandbox not able to serve")]
    Io(#[from] std::io::Error),
    /// Failed construction of the client that sends webhooks.
    #[error("webhook client not available")]
    Client(#[from] reqwest::Error),
    /// Service error: worker that ended before shutdown.
    #[error("worker ended unexpectedly")]
    Worker(#[from] tokio::task::JoinError),
}
