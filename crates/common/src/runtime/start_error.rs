//! Errors that prevent the start of a service.

use std::fmt;
use std::net::SocketAddr;

use crate::BoxError;
use crate::config::ConfigError;
use crate::database::store::StoreError;

/// Error of a service's start. Its text names the remedy.
#[derive(Debug)]
pub enum StartError {
    /// Start error: missing or invalid variables.
    Config(ConfigError),
    /// Failure to open the service's own store.
    Store {
        /// Address of the store.
        address: String,
        /// Source error.
        source: StoreError,
    },
    /// Start error: failure to listen.
    Listen {
        /// Address to listen on.
        address: SocketAddr,
        /// Source error.
        source: std::io::Error,
    },
    /// Start error: failure of another dependency.
    Other {
        /// Name of the dependency.
        what: &'static str,
        /// Source error.
        source: BoxError,
    },
}

impl StartError {
    /// Creates the error of a store that cannot be opened; `address` contains no password.
    pub fn store(address: &impl fmt::Display, source: StoreError) -> Self {
        Self::Store { address: address.to_string(), source }
    }

    /// Creates the error of another dependency.
    pub fn other(what: &'static str, source: impl Into<BoxError>) -> Self {
        Self::Other { what, source: source.into() }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Store { address, source: source @ StoreError::Incompatible { .. } } => {
                write!(f, "cannot open the store {address}: {source}")
            }
            Self::Store { address, source } => {
                let advice = if address.starts_with("sqlite") {
                    "that the file is writable"
                } else {
                    "that the server is running and the credentials are valid"
                };
                write!(f, "cannot open the store {address}: {}; check {advice}", crate::error_chain(source))
            }
            Self::Listen { address, source } => {
                write!(f, "cannot listen on {address}: {source}; free the port or set PORT to another one")
            }
            Self::Other { what, source } => write!(f, "cannot start {what}: {}", crate::error_chain(&**source)),
        }
    }
}

impl std::error::Error for StartError {}

impl From<ConfigError> for StartError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}
