//! The order service, as far as reservations ask it.

use std::time::Duration;

use common::auth::ServiceTokens;
use common::client::{CallError, ServiceClient};
use common::discovery::ServiceName;
use contracts::OrderId;
use contracts::calls::Abandoned;

/// The longest that one question takes: others wait for their turn.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Asks the order service. Clones share connections.
#[derive(Clone)]
pub(crate) struct Orders {
    client: ServiceClient,
    tokens: ServiceTokens,
}

impl Orders {
    pub(crate) const fn new(client: ServiceClient, tokens: ServiceTokens) -> Self {
        Self { client, tokens }
    }

    /// Asks that an order that does not exist never will; the answer says whether it does. It may be repeated.
    ///
    /// # Errors
    /// If there is no answer that can be used.
    pub(crate) async fn abandon(&self, order: OrderId) -> Result<Abandoned, CallError> {
        let token = self.tokens.bearer().await?;
        let call = self.client.post(ServiceName::Order, format!("/ops/orders/{order}/abandon"));
        let answer = call.bearer(&token).timeout(TIMEOUT).send().await?;
        if answer.is_success() { answer.json() } else { Err(answer.unexpected()) }
    }
}
