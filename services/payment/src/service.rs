//! Use cases of the payment service.
//!
//! Each use case that calls the provider has the same three steps. A first update stores what is about to be done, with a
//! lease. The provider is called. A second update, under the lease, stores the result with its events. A process that
//! dies in between leaves a lease that expires, and [`PaymentService::reconcile`] resumes from the stored state.

use std::sync::Arc;

use crate::clients::orders::OrderClient;
use crate::clients::stripe::{StripeClient, WebhookSecrets};
use crate::config::Checkout;

mod confirm;
mod idempotent;
mod order_events;
mod provider_calls;
mod queries;
mod reconcile;
mod refund;
mod refund_retry;
mod start;
mod unit_of_work;
mod webhook;

pub(crate) use idempotent::{IdempotentOperation, ToStoredResponse};
pub(crate) use start::StartedPayment;
pub use unit_of_work::PaymentUnitOfWork;

/// Starts, confirms, refunds and reconciles payments. Clones share everything.
#[derive(Clone)]
pub(crate) struct PaymentService {
    unit_of_work: PaymentUnitOfWork,
    stripe: StripeClient,
    orders: OrderClient,
    webhook_secrets: WebhookSecrets,
    currency: Arc<str>,
    checkout: Arc<Checkout>,
}

/// Dependencies of a [`PaymentService`].
pub(crate) struct Dependencies {
    pub(crate) unit_of_work: PaymentUnitOfWork,
    pub(crate) stripe: StripeClient,
    pub(crate) orders: OrderClient,
    pub(crate) webhook_secrets: WebhookSecrets,
    /// The shop's currency (ISO 4217).
    pub(crate) currency: Arc<str>,
    pub(crate) checkout: Arc<Checkout>,
}

impl PaymentService {
    pub(crate) fn new(dependencies: Dependencies) -> Self {
        let Dependencies { unit_of_work, stripe, orders, webhook_secrets, currency, checkout } = dependencies;
        Self { unit_of_work, stripe, orders, webhook_secrets, currency, checkout }
    }

    /// Returns the shop's currency (ISO 4217).
    pub(crate) fn currency(&self) -> &str {
        &self.currency
    }
}
