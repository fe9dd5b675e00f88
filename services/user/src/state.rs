//! Shared state of the request handlers.

use axum::extract::FromRef;
use common::auth::TokenVerifier;
use common::telemetry::clock::SharedClock;

use crate::service::{AccountService, ClientCredentials, SessionService, TokenIssuer};

/// Use cases and token verification for the handlers. Clones share everything.
#[derive(Clone)]
pub(crate) struct AppState {
    pub(crate) accounts: AccountService,
    pub(crate) sessions: SessionService,
    pub(crate) clients: ClientCredentials,
    pub(crate) issuer: TokenIssuer,
    pub(crate) clock: SharedClock,
    pub(crate) verifier: TokenVerifier,
}

impl FromRef<AppState> for TokenVerifier {
    fn from_ref(state: &AppState) -> Self {
        state.verifier.clone()
    }
}
