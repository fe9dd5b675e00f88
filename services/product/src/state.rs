//! State that the handlers share.

use std::sync::Arc;

use axum::extract::FromRef;
use common::auth::TokenVerifier;
use common::fault::Faults;
use common::http::Health;
use common::telemetry::metrics::Metrics;

use crate::service::{CatalogService, InventoryService, PictureService};

/// Use cases and settings of the handlers. Clones share them.
#[derive(Clone)]
pub(crate) struct AppState {
    pub(crate) catalog: CatalogService,
    pub(crate) inventory: InventoryService,
    pub(crate) pictures: PictureService,
    pub(crate) require_verified_email: bool,
    pub(crate) info: Arc<ServiceInfo>,
    pub(crate) faults: Faults,
    pub(crate) verifier: TokenVerifier,
}

impl FromRef<AppState> for TokenVerifier {
    fn from_ref(state: &AppState) -> Self {
        state.verifier.clone()
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
