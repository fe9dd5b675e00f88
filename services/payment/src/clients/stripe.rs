//! Client of the part of Stripe's HTTP API that payments need.
//!
//! `STRIPE_API_URL` selects the server: Stripe itself, the sandbox, or any compatible one.

use std::time::Duration;

use chrono::{DateTime, Utc};
use contracts::api::PaymentMethod;
use contracts::{Money, OrderId, PaymentId, RefundId};

mod error;
mod http;
mod objects;
mod rate_limit;
mod signature;
mod text;
mod webhook;

pub use error::StripeError;
pub use http::StripeSettings;
pub use objects::{PaymentIntent, ProviderRefund};
pub use signature::{SignatureError, WebhookSecrets};
pub use webhook::{WebhookEvent, parse_webhook_event};

use http::Http;
use objects::List;
use rate_limit::ReadRateLimit;

/// Time limit of all calls about one object under one lease, which lasts ten seconds.
pub const PROVIDER_TIMEOUT: Duration = Duration::from_secs(8);
/// Objects per page of a list: Stripe's maximum.
const PAGE_SIZE: &str = "100";
/// Maximum number of pages searched for one object; beyond them the account's traffic is too high for a search.
const MAX_PAGES: usize = 100;
const NO_QUERY: &[(&str, &str)] = &[];
/// Query that expands the charge, which contains the time of the capture.
const WITH_CHARGE: &[(&str, &str)] = &[("expand[]", "latest_charge")];
/// Assumed maximum lag of the provider's clock.
const CLOCK_SKEW: chrono::Duration = chrono::Duration::minutes(5);

/// Client of Stripe or a compatible server. Clones share connections and limits.
#[derive(Clone)]
pub struct StripeClient {
    http: Http,
    rate_limit: ReadRateLimit,
}

/// Request for a new intent. Equal values produce equal requests, so that the idempotency key can be reused.
#[derive(Clone, Debug)]
pub struct NewIntent<'a> {
    /// Payment, which the metadata names.
    pub payment: PaymentId,
    /// Paid order.
    pub order: OrderId,
    /// Amount.
    pub amount: Money,
    /// Currency (ISO 4217).
    pub currency: &'a str,
    /// Payment method.
    pub method: PaymentMethod,
    /// Description for the provider's records.
    pub description: Option<&'a str>,
    /// Number in the idempotency key.
    pub attempt: u32,
}

impl StripeClient {
    /// Creates a client.
    ///
    /// # Errors
    /// If the HTTP client cannot be set up.
    pub fn new(settings: StripeSettings) -> Result<Self, common::BoxError> {
        Ok(Self { http: Http::new(settings)?, rate_limit: ReadRateLimit::default() })
    }

    /// Creates an intent, or returns the one created with the same key.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn create_intent(&self, new: &NewIntent<'_>) -> Result<PaymentIntent, StripeError> {
        let currency = new.currency.to_ascii_lowercase();
        let (amount, payment, order) = (new.amount.cents().to_string(), new.payment.to_string(), new.order.to_string());
        let mut form = vec![
            ("amount", amount.as_str()),
            ("currency", &currency),
            ("payment_method_types[]", method_type(new.method)),
            ("metadata[payment_id]", &payment),
            ("metadata[order_id]", &order),
        ];
        if let Some(description) = new.description {
            form.push(("description", description));
        }
        let key = format!("pi-{}-{}", new.payment, new.attempt);
        self.http.post("create_intent", "/v1/payment_intents", &form, Some(&key)).await
    }

    /// Fetches an intent.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn get_intent(&self, id: &str) -> Result<PaymentIntent, StripeError> {
        self.http.get("get_intent", &format!("/v1/payment_intents/{id}"), WITH_CHARGE).await
    }

    /// Fetches an intent under the rate limit of background reads.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn get_intent_rate_limited(&self, id: &str) -> Result<PaymentIntent, StripeError> {
        self.rate_limited(self.get_intent(id)).await
    }

    /// Fetches all refunds of an intent under the rate limit of background reads.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn list_refunds_rate_limited(&self, intent: &str) -> Result<Vec<ProviderRefund>, StripeError> {
        self.rate_limited(self.list_refunds(intent)).await
    }

    /// Fetches a refund under the rate limit of background reads.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn get_refund_rate_limited(&self, id: &str) -> Result<ProviderRefund, StripeError> {
        self.rate_limited(self.get_refund(id)).await
    }

    async fn rate_limited<T>(
        &self,
        read: impl Future<Output = Result<T, StripeError>> + Send,
    ) -> Result<T, StripeError> {
        self.rate_limit.acquire().await?;
        let result = read.await;
        self.rate_limit.record(&result);
        result
    }

    /// Cancels an intent. A cancelled or succeeded intent is rejected: fetch it then.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn cancel_intent(&self, id: &str) -> Result<PaymentIntent, StripeError> {
        self.http.post("cancel_intent", &format!("/v1/payment_intents/{id}/cancel"), &[], None).await
    }

    /// Searches for the intent whose metadata names the payment, among those created since about `since`.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn find_intent(
        &self,
        payment: PaymentId,
        since: DateTime<Utc>,
    ) -> Result<Option<PaymentIntent>, StripeError> {
        let since = (since - CLOCK_SKEW).timestamp().to_string();
        let filter = [("created[gte]", since.as_str())];
        let matches = |intent: &PaymentIntent| intent.payment() == Some(payment);
        self.find("list_intents", "/v1/payment_intents", &filter, matches, |intent| &intent.id).await
    }

    /// Creates a refund of an intent, or returns the one created with the same key.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn create_refund(
        &self,
        refund: RefundId,
        intent: &str,
        amount: Money,
        attempt: u32,
    ) -> Result<ProviderRefund, StripeError> {
        let (id, amount) = (refund.to_string(), amount.cents().to_string());
        let form = [("payment_intent", intent), ("amount", &amount), ("metadata[refund_id]", &id)];
        let key = format!("re-{refund}-{attempt}");
        self.http.post("create_refund", "/v1/refunds", &form, Some(&key)).await
    }

    /// Fetches a refund.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn get_refund(&self, id: &str) -> Result<ProviderRefund, StripeError> {
        self.http.get("get_refund", &format!("/v1/refunds/{id}"), NO_QUERY).await
    }

    /// Searches for the refund of an intent whose metadata names `refund`, except for the `previous` attempts.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn find_refund(
        &self,
        refund: RefundId,
        intent: &str,
        previous: &[String],
    ) -> Result<Option<ProviderRefund>, StripeError> {
        let matches = |found: &ProviderRefund| found.refund_id() == Some(refund) && !previous.contains(&found.id);
        self.find("list_refunds", "/v1/refunds", &[("payment_intent", intent)], matches, |found| &found.id).await
    }

    /// Fetches all refunds of an intent.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn list_refunds(&self, intent: &str) -> Result<Vec<ProviderRefund>, StripeError> {
        let mut all = Vec::new();
        let mut query = vec![("limit", PAGE_SIZE.to_owned()), ("payment_intent", intent.to_owned())];
        for _ in 0..MAX_PAGES {
            let page: List<ProviderRefund> = self.http.get("list_refunds", "/v1/refunds", &query).await?;
            all.extend(page.data);
            let Some(last) = all.last().filter(|_| page.has_more) else { return Ok(all) };
            let last = last.id.clone();
            query.retain(|(name, _)| *name != "starting_after");
            query.push(("starting_after", last));
        }
        Err(StripeError::list_too_long("/v1/refunds"))
    }

    async fn find<T: serde::de::DeserializeOwned>(
        &self,
        operation: &'static str,
        path: &'static str,
        filter: &[(&'static str, &str)],
        matches: impl Fn(&T) -> bool + Send + Sync,
        id: impl for<'a> Fn(&'a T) -> &'a String + Send + Sync,
    ) -> Result<Option<T>, StripeError> {
        let mut after: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut query = vec![("limit", PAGE_SIZE.to_owned())];
            query.extend(filter.iter().map(|(name, value)| (*name, (*value).to_owned())));
            query.extend(after.take().map(|after| ("starting_after", after)));
            let page: List<T> = self.http.get(operation, path, &query).await?;
            after = page.data.last().map(|last| id(last).clone()).filter(|_| page.has_more);
            if let Some(found) = page.data.into_iter().find(|object| matches(object)) {
                return Ok(Some(found));
            }
            if after.is_none() {
                return Ok(None);
            }
        }
        Err(StripeError::list_too_long(path))
    }
}

/// Returns Stripe's payment method type; wallets are cards to Stripe.
const fn method_type(method: PaymentMethod) -> &'static str {
    match method {
        PaymentMethod::Card | PaymentMethod::ApplePay | PaymentMethod::GooglePay => "card",
        PaymentMethod::Paypal => "paypal",
    }
}
