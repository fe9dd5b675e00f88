//! Errors that prevent the start of a service.

use std::fmt;
use std::net::SocketAddr;

use crate::BoxError;
use crate::config::ConfigError;
use crate::database::store::StoreError;

/// Why a service cannot start. Its text names what to do.
#[derive(Debug)]
pub enum StartError {
    /// Variables are missing or wrong.
    Config(ConfigError),
    /// The service's own store cannot be opened.
    Store {
        /// Where it is.
        address: String,
        /// Why not.
        source: StoreError,
    },
    /// The address cannot be listened on.
    Listen {
        /// Which one.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// Something else that it needs cannot be had.
    Other {
        /// What.
        what: &'static str,
        /// Why not.
        source: BoxError,
    },
}

impl StartError {
    /// The service's own store cannot be opened; `address` holds no password.
    pub fn store(address: &impl fmt::Display, source: StoreError) -> Self {
        Self::Store { address: address.to_string(), source }
    }

    /// Something that the service needs cannot be had.
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
                    "that it can be written"
                } else {
                    "that it runs and lets us in"
                };
                write!(f, "cannot open the store {address}: {}; check {advice}", crate::error_chain(source))
            }
            Self::Listen { address, source } => {
                write!(f, "cannot listen on {address}: {source}; stop what uses the port or set PORT to another")
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
