//! State that the handlers share.

use std::sync::Arc;

use common::auth::TokenVerifier;
use common::fault::Faults;
use common::http::{Health, SharedState};
use common::telemetry::metrics::Metrics;

use crate::service::{CatalogService, InventoryService, PictureService};

/// State of the request handlers.
pub(crate) type AppState = SharedState<UseCases>;

/// Use cases and settings of the request handlers.
pub(crate) struct UseCases {
    pub(crate) catalog: CatalogService,
    pub(crate) inventory: InventoryService,
    pub(crate) pictures: PictureService,
    pub(crate) require_verified_email: bool,
    pub(crate) info: Arc<ServiceInfo>,
    pub(crate) faults: Faults,
    pub(crate) verifier: TokenVerifier,
}

impl AsRef<TokenVerifier> for UseCases {
    fn as_ref(&self) -> &TokenVerifier {
        &self.verifier
    }
}

/// Description and monitoring of the running service.
pub(crate) struct ServiceInfo {
    pub(crate) service: &'static str,
    pub(crate) version: String,
    pub(crate) environment: String,
    pub(crate) currency: String,
    pub(crate) health: Health,
    pub(crate) metrics: Metrics,
}
