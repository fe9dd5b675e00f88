//! Payments of an order, forwarded to the payment service on behalf of the caller.

use common::auth::Caller;
use common::client::ServiceResponse;
use contracts::api::PaymentMethod;
use contracts::{Money, OrderId};

use super::OrderService;
use crate::clients::{PaymentClient, StartPaymentRequest};
use crate::domain::Order;
use crate::error::Error;

const DEFAULT_PROVIDER: &str = "stripe";

/// Payment that a caller requests; omitted fields follow from the order.
pub(crate) struct PaymentRequest {
    /// Payment method.
    pub(crate) method: PaymentMethod,
    /// Payment provider.
    pub(crate) provider: Option<String>,
    /// Amount, by default the amount due.
    pub(crate) amount: Option<Money>,
    /// Currency, by default the order's.
    pub(crate) currency: Option<String>,
}

/// Use cases of the order service for paying an order. Clones share connections.
#[derive(Clone)]
pub(crate) struct OrderPaymentService {
    orders: OrderService,
    payments: PaymentClient,
}

impl OrderPaymentService {
    /// Creates the service.
    pub(crate) const fn new(orders: OrderService, payments: PaymentClient) -> Self {
        Self { orders, payments }
    }

    /// Starts a payment. Returns the payment service's response, whatever its status.
    ///
    /// # Errors
    /// If the caller may not see the order, or the payment service is unavailable.
    pub(crate) async fn start(
        &self,
        caller: &Caller,
        id: OrderId,
        request: PaymentRequest,
        idempotency_key: Option<&str>,
    ) -> Result<ServiceResponse, Error> {
        let order = self.orders.get(caller, id).await?;
        let request = request.for_order(&order);
        Ok(self.payments.start(&caller.bearer(), &request, idempotency_key).await?)
    }

    /// Lists the payments of an order. Returns the payment service's response, whatever its status.
    ///
    /// # Errors
    /// If the caller may not see the order, or the payment service is unavailable.
    pub(crate) async fn list(&self, caller: &Caller, id: OrderId) -> Result<ServiceResponse, Error> {
        self.orders.get(caller, id).await?;
        Ok(self.payments.list_by_order(&caller.bearer(), id).await?)
    }
}

impl PaymentRequest {
    fn for_order(self, order: &Order) -> StartPaymentRequest {
        // A zero amount is invalid, so for a fully paid order request the total and let the payment service reject it as
        // already paid.
        let due = Some(order.amount_due()).filter(|due| !due.is_zero()).unwrap_or(order.totals.total);
        StartPaymentRequest {
            order_id: order.id,
            user_id: order.user_id,
            amount: self.amount.unwrap_or(due),
            currency: self.currency.unwrap_or_else(|| order.currency.clone()),
            method: self.method,
            provider: self.provider.unwrap_or_else(|| DEFAULT_PROVIDER.to_owned()),
        }
    }
}
