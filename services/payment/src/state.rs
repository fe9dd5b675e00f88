//! Shared state of the HTTP handlers.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRef;
use common::auth::TokenVerifier;
use common::database::idempotency::IdempotencyKeys;

use crate::config::Checkout;
use crate::service::PaymentService;

/// State of the request handlers. A router clones it several times per request, so that clones share everything.
#[derive(Clone)]
pub(crate) struct AppState(Arc<UseCases>);

/// Use cases and settings of the request handlers.
pub(crate) struct UseCases {
    pub(crate) payments: PaymentService,
    pub(crate) checkout: Arc<Checkout>,
    pub(crate) keys: IdempotencyKeys,
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
