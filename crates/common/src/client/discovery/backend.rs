//! Port of service discovery.

use async_trait::async_trait;
use url::Url;

use super::instances::InFlightGuard;
use crate::BoxError;
use crate::config::ServiceName;

/// Error of a service without a known instance.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no instance of the {0} is known; start one, or set {variable}", variable = .0.env())]
pub struct DiscoveryError(pub ServiceName);

/// Port of service discovery. Registration is separate.
#[async_trait]
pub trait DiscoveryBackend: Send + Sync + 'static {
    /// Returns an instance of a service.
    async fn resolve(&self, name: ServiceName) -> Result<ResolvedInstance, DiscoveryError>;
    /// Checks that the backend is available.
    async fn ping(&self) -> Result<(), BoxError>;
}

/// Resolved instance of a service. It counts as in use until it is dropped.
pub struct ResolvedInstance {
    /// URL of the instance.
    pub url: Url,
    pub(super) guard: Option<InFlightGuard>,
}

impl ResolvedInstance {
    /// Records that the instance failed to respond or is unavailable. It is ejected for a while if there are others.
    pub fn failed(&self) {
        if let Some(guard) = &self.guard {
            guard.failed();
        }
    }

    /// Records that the instance responded.
    pub fn succeeded(&self) {
        if let Some(guard) = &self.guard {
            guard.succeeded();
        }
    }

    /// Returns whether another instance is known.
    #[must_use]
    pub fn has_alternatives(&self) -> bool {
        self.guard.as_ref().is_some_and(InFlightGuard::has_alternatives)
    }

    /// Returns whether another instance is known that did not fail recently.
    #[must_use]
    pub fn has_healthy_alternatives(&self) -> bool {
        self.guard.as_ref().is_some_and(InFlightGuard::has_healthy_alternatives)
    }
}
