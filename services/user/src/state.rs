//! Shared state of the request handlers.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRef;
use common::auth::TokenVerifier;
use common::telemetry::clock::SharedClock;

use crate::service::{AccountService, ClientCredentials, SessionService, TokenIssuer};

/// State of the request handlers. A router clones it several times per request, so that clones share everything.
#[derive(Clone)]
pub(crate) struct AppState(Arc<UseCases>);

/// Use cases and settings of the request handlers.
pub(crate) struct UseCases {
    pub(crate) accounts: AccountService,
    pub(crate) sessions: SessionService,
    pub(crate) clients: ClientCredentials,
    pub(crate) issuer: TokenIssuer,
    pub(crate) clock: SharedClock,
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
