//! The discovery port.

use async_trait::async_trait;
use url::Url;

use super::instances::Held;
use crate::BoxError;
use crate::config::ServiceName;

/// Why no address is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no instance of the {0} is known; start one, or set {variable}", variable = .0.env())]
pub struct DiscoveryError(pub ServiceName);

/// Finds instances of services. Registering them is another matter.
#[async_trait]
pub trait DiscoveryBackend: Send + Sync + 'static {
    /// An instance.
    async fn resolve(&self, name: ServiceName) -> Result<Found, DiscoveryError>;
    /// Whether it answers.
    async fn ping(&self) -> Result<(), BoxError>;
}

/// An instance that was found. It counts as under way until it is dropped.
pub struct Found {
    /// Its address.
    pub url: Url,
    pub(super) held: Option<Held>,
}

impl Found {
    /// It did not answer, or said that it is unavailable: it is left out for a while, if there are others.
    pub fn failed(&self) {
        if let Some(held) = &self.held {
            held.failed();
        }
    }

    /// It answered.
    pub fn answered(&self) {
        if let Some(held) = &self.held {
            held.answered();
        }
    }

    /// Whether another instance is known.
    #[must_use]
    pub fn has_others(&self) -> bool {
        self.held.as_ref().is_some_and(Held::has_others)
    }

    /// Whether another instance is known that did not fail of late.
    #[must_use]
    pub fn has_fit_others(&self) -> bool {
        self.held.as_ref().is_some_and(Held::has_fit_others)
    }
}
