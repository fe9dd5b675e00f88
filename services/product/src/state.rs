//! State that the handlers share.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRef;
use common::auth::TokenVerifier;
use common::fault::Faults;
use common::http::Health;
use common::telemetry::metrics::Metrics;

use crate::service::{CatalogService, InventoryService, PictureService};

/// State of the request handlers. A router clones it several times per request, so that clones share everything.
#[derive(Clone)]
pub(crate) struct AppState(Arc<UseCases>);

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

impl AppState {
    pub(crate) fn new(use_cases: UseCases) -> Self {
        Self(Arc::new(use_cases))
    }
}

impl Deref for AppState {
    type Target = UseCases;

    fn deref(&self) -> &UseCases {
        &self.0
    }
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
