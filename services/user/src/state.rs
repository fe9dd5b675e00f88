//! Shared state of the request handlers.

use common::auth::TokenVerifier;
use common::http::SharedState;
use common::telemetry::clock::SharedClock;

use crate::service::{AccountService, ClientCredentials, SessionService, TokenIssuer};

/// State of the request handlers.
pub(crate) type AppState = SharedState<UseCases>;

/// Use cases and settings of the request handlers.
pub(crate) struct UseCases {
    pub(crate) accounts: AccountService,
    pub(crate) sessions: SessionService,
    pub(crate) clients: ClientCredentials,
    pub(crate) issuer: TokenIssuer,
    pub(crate) clock: SharedClock,
    pub(crate) verifier: TokenVerifier,
}

impl AsRef<TokenVerifier> for UseCases {
    fn as_ref(&self) -> &TokenVerifier {
        &self.verifier
    }
}
