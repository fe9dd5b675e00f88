use std::time::Duration;

use common::auth::Bearer;
use common::client::{CallError, ServiceClient, ServiceResponse};
use common::config::ServiceName;
use common::http::idempotent::IDEMPOTENCY_KEY;
use contracts::api::PaymentMethod;
use contracts::{Money, OrderId, UserId};
use serde::Serialize;

/// Timeout of starting a payment, which makes two calls to the provider of at most eight seconds each.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// Client of the payment service. Clones share connections.
#[derive(Clone)]
pub(crate) struct PaymentClient {
    client: ServiceClient,
}

/// Body of `POST /api/payments`.
#[derive(Serialize)]
pub(crate) struct StartPaymentRequest {
    pub(crate) order_id: OrderId,
    pub(crate) user_id: UserId,
    pub(crate) amount: Money,
    pub(crate) currency: String,
    pub(crate) method: PaymentMethod,
    pub(crate) provider: String,
}

impl PaymentClient {
    /// Creates the client.
    pub(crate) const fn new(client: ServiceClient) -> Self {
        Self { client }
    }

    /// Starts a payment with the caller's token and idempotency key. Returns the response, whatever its status.
    ///
    /// # Errors
    /// If the payment service is unavailable.
    pub(crate) async fn start(
        &self,
        caller: &Bearer,
        payment: &StartPaymentRequest,
        idempotency_key: Option<&str>,
    ) -> Result<ServiceResponse, CallError> {
        let request = self.client.post(ServiceName::Payment, "/api/payments").bearer(caller).json(payment);
        let request = match idempotency_key {
            Some(key) => request.header(IDEMPOTENCY_KEY, key),
            None => request,
        };
        request.timeout(START_TIMEOUT).accept_any_status().send().await
    }

    /// Lists the payments of an order with the caller's token. Returns the response, whatever its status.
    ///
    /// # Errors
    /// If the payment service is unavailable.
    pub(crate) async fn list_by_order(&self, caller: &Bearer, order: OrderId) -> Result<ServiceResponse, CallError> {
        let request = self.client.get(ServiceName::Payment, format!("/api/payments/order/{order}")).bearer(caller);
        request.retries(1).accept_any_status().send().await
    }
}
