//! Shared state of the HTTP handlers.

use std::sync::Arc;

use common::auth::TokenVerifier;
use common::database::idempotency::IdempotencyKeys;
use common::http::SharedState;

use crate::config::Checkout;
use crate::service::PaymentService;

/// State of the request handlers.
pub(crate) type AppState = SharedState<UseCases>;

/// Use cases and settings of the request handlers.
pub(crate) struct UseCases {
    pub(crate) payments: PaymentService,
    pub(crate) checkout: Arc<Checkout>,
    pub(crate) keys: IdempotencyKeys,
    pub(crate) verifier: TokenVerifier,
}

impl AsRef<TokenVerifier> for UseCases {
    fn as_ref(&self) -> &TokenVerifier {
        &self.verifier
    }
}
