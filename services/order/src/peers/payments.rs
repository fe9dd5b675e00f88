use std::time::Duration;

use common::auth::Bearer;
use common::client::{Answer, CallError, ServiceClient};
use common::discovery::ServiceName;
use common::http::idempotent::IDEMPOTENCY_KEY;
use contracts::calls::PaymentMethod;
use contracts::{Money, OrderId, UserId};
use serde::Serialize;

/// How long beginning a payment may take: two calls to the provider, each of which ends within eight seconds.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(20);

/// The payment service. Clones share connections.
#[derive(Clone)]
pub(crate) struct Payments {
    client: ServiceClient,
}

/// `POST /api/payments`
#[derive(Serialize)]
pub(crate) struct NewPayment {
    pub(crate) order_id: OrderId,
    pub(crate) user_id: UserId,
    pub(crate) amount: Money,
    pub(crate) currency: String,
    pub(crate) method: PaymentMethod,
    pub(crate) provider: String,
}

impl Payments {
    pub(crate) const fn new(client: ServiceClient) -> Self {
        Self { client }
    }

    /// Begins a payment in the caller's name, by the caller's own idempotency key; whatever is answered is to be passed on.
    ///
    /// # Errors
    /// If the payment service does not answer.
    pub(crate) async fn begin(
        &self,
        caller: &Bearer,
        payment: &NewPayment,
        key: Option<&str>,
    ) -> Result<Answer, CallError> {
        let call = self.client.post(ServiceName::Payment, "/api/payments").bearer(caller).json(payment);
        let call = match key {
            Some(key) => call.header(IDEMPOTENCY_KEY, key),
            None => call,
        };
        call.timeout(BEGIN_TIMEOUT).any_status().send().await
    }

    /// The payments of an order, as the caller may see them; whatever is answered is to be passed on.
    ///
    /// # Errors
    /// If the payment service does not answer.
    pub(crate) async fn of_order(&self, caller: &Bearer, order: OrderId) -> Result<Answer, CallError> {
        let call = self.client.get(ServiceName::Payment, format!("/api/payments/order/{order}")).bearer(caller);
        call.retries(1).any_status().send().await
    }
}
