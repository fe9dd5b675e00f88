//! State shared by the request handlers.

use std::sync::Arc;

use axum::extract::FromRef;
use chrono::TimeDelta;
use common::auth::TokenVerifier;
use common::database::idempotency::IdempotencyKeys;

use crate::service::{OrderPaymentService, OrderService, PlaceOrder};

/// Use cases and settings of the request handlers.
#[derive(Clone)]
pub(crate) struct AppState {
    pub(crate) orders: OrderService,
    pub(crate) place_order: PlaceOrder,
    pub(crate) payments: OrderPaymentService,
    /// Currency of the shop (ISO 4217).
    pub(crate) currency: Arc<str>,
    pub(crate) idempotency_keys: IdempotencyKeys,
    pub(crate) payment_deadline: TimeDelta,
    pub(crate) verifier: TokenVerifier,
}

impl FromRef<AppState> for TokenVerifier {
    fn from_ref(state: &AppState) -> Self {
        state.verifier.clone()
    }
}
