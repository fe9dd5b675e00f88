//! State shared by the request handlers.

use axum::extract::FromRef;
use chrono::TimeDelta;
use common::auth::TokenVerifier;
use common::database::idempotency::IdempotencyKeys;
use common::http::LongPolls;

use crate::service::{OrderPaymentService, OrderService, PlaceOrder};

/// Use cases and settings of the request handlers.
#[derive(Clone)]
pub(crate) struct AppState {
    pub(crate) orders: OrderService,
    pub(crate) place_order: PlaceOrder,
    pub(crate) payments: OrderPaymentService,
    pub(crate) idempotency_keys: IdempotencyKeys,
    pub(crate) payment_deadline: TimeDelta,
    pub(crate) verifier: TokenVerifier,
    pub(crate) long_polls: LongPolls,
}

impl FromRef<AppState> for TokenVerifier {
    fn from_ref(state: &AppState) -> Self {
        state.verifier.clone()
    }
}
