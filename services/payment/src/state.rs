//! Shared state of the HTTP handlers.

use std::sync::Arc;

use axum::extract::FromRef;
use common::auth::TokenVerifier;
use common::database::idempotency::IdempotencyKeys;

use crate::config::Checkout;
use crate::service::PaymentService;

/// State of the HTTP handlers.
#[derive(Clone)]
pub(crate) struct AppState {
    pub(crate) payments: PaymentService,
    pub(crate) checkout: Arc<Checkout>,
    pub(crate) keys: IdempotencyKeys,
    pub(crate) verifier: TokenVerifier,
}

impl FromRef<AppState> for TokenVerifier {
    fn from_ref(state: &AppState) -> Self {
        state.verifier.clone()
    }
}
