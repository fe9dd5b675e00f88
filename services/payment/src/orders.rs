//! The order service, as far as payments ask it.

use std::time::Duration;

use common::auth::{Bearer, Caller, ServiceTokens};
use common::client::ServiceClient;
use common::discovery::ServiceName;
use contracts::calls::{OrderSummary, PaymentStatus};
use contracts::{OrderId, PaymentId};

use crate::domain::Terms;
use crate::error::Error;

/// How long a confirmation waits for the order to show the payment.
const SHOWN_WITHIN: Duration = Duration::from_secs(2);
/// The pause between two looks at the order.
const LOOK_AGAIN: Duration = Duration::from_millis(40);

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

    /// An order, seen with the caller's own token: one that the caller may not see does not exist.
    ///
    /// # Errors
    /// [`Error::OrderNotFound`], or the order service does not answer.
    async fn find(&self, id: OrderId, caller: &Bearer) -> Result<OrderSummary, Error> {
        let call = self.client.get(ServiceName::Order, format!("/api/orders/{id}")).bearer(caller).retries(1);
        let answer = call.send().await.map_err(Error::Orders)?;
        if answer.is_success() {
            return answer.json().map_err(Error::Orders);
        }
        match answer.status() {
            403 | 404 => Err(Error::OrderNotFound),
            _ => Err(Error::Orders(answer.unexpected())),
        }
    }

    /// An order, seen as this caller may see it: a person by the person's own token, a service, which may lack the right
    /// to read orders, by ours.
    ///
    /// # Errors
    /// [`Error::OrderNotFound`], or the order service or the issuer of our token does not answer.
    pub(crate) async fn find_for(&self, id: OrderId, caller: &Caller) -> Result<OrderSummary, Error> {
        if caller.is_service() {
            let own = self.tokens.bearer().await.map_err(Error::Orders)?;
            return self.find(id, &own).await;
        }
        self.find(id, &caller.bearer()).await
    }

    /// Waits until the order shows that the payment is completed, or two seconds at the most: whoever reads the order
    /// next sees it paid. It never fails: the payment is completed already.
    pub(crate) async fn wait_until_shown(&self, order: OrderId, payment: PaymentId) {
        let shown = async {
            while !self.shows(order, payment).await {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        if tokio::time::timeout(SHOWN_WITHIN, shown).await.is_err() {
            tracing::info!(order.id = %order, payment.id = %payment, "the order does not show its payment yet");
        }
    }

    async fn shows(&self, order: OrderId, payment: PaymentId) -> bool {
        let Ok(token) = self.tokens.bearer().await else { return false };
        let Ok(order) = self.find(order, &token).await else { return false };
        let done = |status| matches!(status, PaymentStatus::Completed | PaymentStatus::Refunded);
        order.payments.iter().any(|shown| shown.id == payment && done(shown.status))
    }
}

/// What a payment needs to know of an order.
pub(crate) fn terms(order: &OrderSummary) -> Terms {
    Terms { user_id: order.user_id, total: order.total_amount, currency: order.currency.clone() }
}
