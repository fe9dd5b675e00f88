//! Client of the order service.

use std::time::Duration;

use common::auth::ServiceTokens;
use common::client::{CallError, ServiceClient};
use common::config::ServiceName;
use contracts::OrderId;
use contracts::api::AbandonResponse;

/// Deadline of one call. Other due reservations wait for it.
const TIMEOUT: Duration = Duration::from_secs(2);

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

    /// Abandons an order id: if no such order exists, none can be created later. Idempotent.
    ///
    /// # Errors
    /// The call's failure, or an unexpected response.
    pub(crate) async fn abandon(&self, order: OrderId) -> Result<AbandonResponse, CallError> {
        let token = self.tokens.bearer().await?;
        let call = self.client.post(ServiceName::Order, format!("/ops/orders/{order}/abandon"));
        let response = call.bearer(&token).timeout(TIMEOUT).send().await?;
        if response.is_success() { response.json() } else { Err(response.unexpected()) }
    }
}
