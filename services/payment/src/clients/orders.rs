//! Client of the order service.

use std::time::Duration;

use common::auth::{Bearer, Caller, ServiceTokens};
use common::client::ServiceClient;
use common::config::ServiceName;
use contracts::api::{OrderSummary, PaymentStatus};
use contracts::{OrderId, PaymentId};

use crate::error::Error;

/// Maximum time for which a confirmation waits until the order shows the payment.
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(2);
/// Interval between two checks of the order.
const POLL_INTERVAL: Duration = Duration::from_millis(40);

/// Client of the order service. Clones share connections.
#[derive(Clone)]
pub(crate) struct OrderClient {
    client: ServiceClient,
    tokens: ServiceTokens,
}

impl OrderClient {
    pub(crate) const fn new(client: ServiceClient, tokens: ServiceTokens) -> Self {
        Self { client, tokens }
    }

    /// Fetches an order as visible to the caller: for a user with the user's own token; for a service, which may lack the
    /// scope to read orders, with this service's token.
    ///
    /// # Errors
    /// [`Error::OrderNotFound`], or [`Error::Upstream`] if the order service or the token issuer is unavailable.
    pub(crate) async fn find_for(&self, id: OrderId, caller: &Caller) -> Result<OrderSummary, Error> {
        if caller.is_service() {
            let own = self.tokens.bearer().await.map_err(Error::Upstream)?;
            return self.find(id, &own).await;
        }
        self.find(id, &caller.bearer()).await
    }

    /// Fetches an order with this token. An order that the token may not read is not found.
    ///
    /// # Errors
    /// [`Error::OrderNotFound`], or [`Error::Upstream`] if the order service is unavailable.
    async fn find(&self, id: OrderId, token: &Bearer) -> Result<OrderSummary, Error> {
        let request = self.client.get(ServiceName::Order, format!("/api/orders/{id}")).bearer(token).retries(1);
        let response = request.send().await.map_err(Error::Upstream)?;
        if response.is_success() {
            return response.json().map_err(Error::Upstream);
        }
        match response.status() {
            403 | 404 => Err(Error::OrderNotFound),
            _ => Err(Error::Upstream(response.unexpected())),
        }
    }

    /// Waits until the order shows the payment as completed, for two seconds at most, so that a client that reads the
    /// order next sees it paid. Never fails, because the payment is completed already.
    pub(crate) async fn wait_until_visible(&self, order: OrderId, payment: PaymentId) {
        let visible = async {
            while !self.is_visible(order, payment).await {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        if tokio::time::timeout(VISIBILITY_TIMEOUT, visible).await.is_err() {
            tracing::info!(order.id = %order, payment.id = %payment, "completed payment is not visible in the order yet");
        }
    }

    async fn is_visible(&self, order: OrderId, payment: PaymentId) -> bool {
        let Ok(token) = self.tokens.bearer().await else { return false };
        let Ok(order) = self.find(order, &token).await else { return false };
        let done = |status| matches!(status, PaymentStatus::Completed | PaymentStatus::Refunded);
        order.payments.iter().any(|shown| shown.id == payment && done(shown.status))
    }
}
