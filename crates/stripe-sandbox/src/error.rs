//! Why the sandbox could not run.

/// What stops the sandbox as a whole. What goes wrong with one request is answered in Stripe's form instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting cannot be used; the text says which and why.
    #[error("{0}")]
    Config(String),
    /// The ledger could not be opened or read.
    #[error("the sandbox's ledger cannot be used")]
    Database(#[from] sqlx::Error),
    /// The ledger's tables could not be made or brought up to date.
    #[error("the sandbox's ledger cannot be brought up to date")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The ledger's tables were changed in a way that this binary is too old for.
    #[error(
        "the sandbox's ledger needs version {least} of the program or a newer one, and this one knows version {known}: \
         start a newer version, or begin with a new data directory"
    )]
    Incompatible {
        /// The version of the ledger that this binary knows.
        known: i64,
        /// The oldest version that may use the ledger.
        least: i64,
    },
    /// The directory of the ledger could not be made, or the listener failed.
    #[error("the sandbox cannot serve")]
    Io(#[from] std::io::Error),
    /// The client that sends webhooks could not be built.
    #[error("the sandbox cannot send webhooks")]
    Client(#[from] reqwest::Error),
    /// A worker ended although nobody asked it to.
    #[error("a worker of the sandbox ended early")]
    Worker(#[from] tokio::task::JoinError),
}
