//! State shared by the request handlers.

use std::sync::Arc;

use chrono::TimeDelta;
use common::auth::TokenVerifier;
use common::database::idempotency::IdempotencyKeys;
use common::http::{LongPolls, SharedState};

use crate::service::{CartService, OrderPaymentService, OrderService, PlaceOrder};

/// State of the request handlers.
pub(crate) type AppState = SharedState<UseCases>;

/// Use cases and settings of the request handlers.
pub(crate) struct UseCases {
    pub(crate) orders: OrderService,
    pub(crate) place_order: PlaceOrder,
    pub(crate) carts: CartService,
    pub(crate) payments: OrderPaymentService,
    /// Currency of the shop (ISO 4217).
    pub(crate) currency: Arc<str>,
    pub(crate) idempotency_keys: IdempotencyKeys,
    pub(crate) payment_deadline: TimeDelta,
    pub(crate) verifier: TokenVerifier,
    pub(crate) long_polls: LongPolls,
}

impl AsRef<TokenVerifier> for UseCases {
    fn as_ref(&self) -> &TokenVerifier {
        &self.verifier
    }
}
