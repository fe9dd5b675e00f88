//! The client of Stripe's HTTP API: the part that payments need.
//!
//! Which server answers is a matter of `STRIPE_API_URL`: Stripe's own, the sandbox, or any other that speaks the same.

use std::time::Duration;

use chrono::{DateTime, Utc};
use contracts::calls::PaymentMethod;
use contracts::{Money, OrderId, PaymentId, RefundId};

mod error;
mod http;
mod objects;
mod reads;
mod signature;
mod text;
mod webhook;

pub use error::StripeError;
pub use http::StripeSettings;
pub use objects::{Intent, ProviderRefund};
pub use signature::{SignatureError, WebhookSecrets};
pub use webhook::{Notice, read_notice};

use http::Http;
use objects::List;
use reads::ReadLimit;

/// All calls about one thing under one lease end within this time.
pub const PROVIDER_LIMIT: Duration = Duration::from_secs(8);
/// Objects of one page of a list: Stripe's largest.
const PAGE: &str = "100";
/// Pages that are looked through for one object; past them the account's traffic is too high for a look-up by list.
const MOST_PAGES: usize = 100;
const NO_QUERY: &[(&str, &str)] = &[];
/// Shows the charge whole, which says when the money was taken.
const WITH_CHARGE: &[(&str, &str)] = &[("expand[]", "latest_charge")];
/// How far the provider's clock may be behind ours.
const CLOCK_SKEW: chrono::Duration = chrono::Duration::minutes(5);

/// Stripe, or a server that speaks as it does. Clones share connections.
#[derive(Clone)]
pub struct Stripe {
    http: Http,
    reads: ReadLimit,
}

/// An intent that is to be made. The same one always gives the same request, so that its key can be used again.
#[derive(Clone, Debug)]
pub struct NewIntent<'a> {
    /// The payment that it is for; the metadata names it.
    pub payment: PaymentId,
    /// What is paid.
    pub order: OrderId,
    /// How much.
    pub amount: Money,
    /// In which currency (ISO 4217).
    pub currency: &'a str,
    /// How.
    pub method: PaymentMethod,
    /// Words for the provider's records.
    pub description: Option<&'a str>,
    /// The number in the key.
    pub attempt: u32,
}

impl Stripe {
    /// A client with these settings.
    ///
    /// # Errors
    /// If the HTTP client cannot be set up.
    pub fn new(settings: StripeSettings) -> Result<Self, common::BoxError> {
        Ok(Self { http: Http::new(settings)?, reads: ReadLimit::default() })
    }

    /// Makes an intent, or gives the one that was made with the same key.
    ///
    /// # Errors
    /// As the provider answers; see [`StripeError`].
    pub async fn create_intent(&self, new: &NewIntent<'_>) -> Result<Intent, StripeError> {
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

    /// An intent as it is now.
    ///
    /// # Errors
    /// As the provider answers.
    pub async fn intent(&self, id: &str) -> Result<Intent, StripeError> {
        self.http.get("get_intent", &format!("/v1/payment_intents/{id}"), WITH_CHARGE).await
    }

    /// An intent as it is now, read when its turn comes: nobody waits for it.
    ///
    /// # Errors
    /// As the provider answers.
    pub async fn intent_in_turn(&self, id: &str) -> Result<Intent, StripeError> {
        self.in_turn(self.intent(id)).await
    }

    /// All refunds of an intent, read when their turn comes: nobody waits for them.
    ///
    /// # Errors
    /// As the provider answers.
    pub async fn refunds_in_turn(&self, intent: &str) -> Result<Vec<ProviderRefund>, StripeError> {
        self.in_turn(self.refunds(intent)).await
    }

    /// A refund as it is now, read when its turn comes: nobody waits for it.
    ///
    /// # Errors
    /// As the provider answers.
    pub async fn refund_in_turn(&self, id: &str) -> Result<ProviderRefund, StripeError> {
        self.in_turn(self.refund(id)).await
    }

    async fn in_turn<T>(&self, read: impl Future<Output = Result<T, StripeError>> + Send) -> Result<T, StripeError> {
        self.reads.turn().await?;
        let result = read.await;
        self.reads.note(&result);
        result
    }

    /// Cancels an intent. One that is cancelled already is refused, as one that succeeded: look at it then.
    ///
    /// # Errors
    /// As the provider answers.
    pub async fn cancel_intent(&self, id: &str) -> Result<Intent, StripeError> {
        self.http.post("cancel_intent", &format!("/v1/payment_intents/{id}/cancel"), &[], None).await
    }

    /// Looks for the intent whose metadata names the payment, among those made since about `since`.
    ///
    /// # Errors
    /// As the provider answers.
    pub async fn find_intent(&self, payment: PaymentId, since: DateTime<Utc>) -> Result<Option<Intent>, StripeError> {
        let since = (since - CLOCK_SKEW).timestamp().to_string();
        let filter = [("created[gte]", since.as_str())];
        let wanted = |intent: &Intent| intent.payment() == Some(payment);
        self.find("list_intents", "/v1/payment_intents", &filter, wanted, |intent| &intent.id).await
    }

    /// Gives money of an intent back, or gives the refund that was made with the same key.
    ///
    /// # Errors
    /// As the provider answers.
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

    /// A refund as it is now.
    ///
    /// # Errors
    /// As the provider answers.
    pub async fn refund(&self, id: &str) -> Result<ProviderRefund, StripeError> {
        self.http.get("get_refund", &format!("/v1/refunds/{id}"), NO_QUERY).await
    }

    /// Looks for the refund of an intent whose metadata names ours, but for those of `former` attempts.
    ///
    /// # Errors
    /// As the provider answers.
    pub async fn find_refund(
        &self,
        refund: RefundId,
        intent: &str,
        former: &[String],
    ) -> Result<Option<ProviderRefund>, StripeError> {
        let wanted = |found: &ProviderRefund| found.ours() == Some(refund) && !former.contains(&found.id);
        self.find("list_refunds", "/v1/refunds", &[("payment_intent", intent)], wanted, |found| &found.id).await
    }

    /// All refunds of an intent.
    ///
    /// # Errors
    /// As the provider answers.
    pub async fn refunds(&self, intent: &str) -> Result<Vec<ProviderRefund>, StripeError> {
        let mut all = Vec::new();
        let mut query = vec![("limit", PAGE.to_owned()), ("payment_intent", intent.to_owned())];
        for _ in 0..MOST_PAGES {
            let page: List<ProviderRefund> = self.http.get("list_refunds", "/v1/refunds", &query).await?;
            all.extend(page.data);
            let Some(last) = all.last().filter(|_| page.has_more) else { return Ok(all) };
            let last = last.id.clone();
            query.retain(|(name, _)| *name != "starting_after");
            query.push(("starting_after", last));
        }
        Err(StripeError::too_long("/v1/refunds"))
    }

    async fn find<T: serde::de::DeserializeOwned>(
        &self,
        operation: &'static str,
        path: &'static str,
        filter: &[(&'static str, &str)],
        wanted: impl Fn(&T) -> bool + Send + Sync,
        id: impl for<'a> Fn(&'a T) -> &'a String + Send + Sync,
    ) -> Result<Option<T>, StripeError> {
        let mut after: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut query = vec![("limit", PAGE.to_owned())];
            query.extend(filter.iter().map(|(name, value)| (*name, (*value).to_owned())));
            query.extend(after.take().map(|after| ("starting_after", after)));
            let page: List<T> = self.http.get(operation, path, &query).await?;
            after = page.data.last().map(|last| id(last).clone()).filter(|_| page.has_more);
            if let Some(found) = page.data.into_iter().find(|one| wanted(one)) {
                return Ok(Some(found));
            }
            if after.is_none() {
                return Ok(None);
            }
        }
        Err(StripeError::too_long(path))
    }
}

/// Stripe's name of the method: the wallets are cards to it.
const fn method_type(method: PaymentMethod) -> &'static str {
    match method {
        PaymentMethod::Card | PaymentMethod::ApplePay | PaymentMethod::GooglePay => "card",
        PaymentMethod::Paypal => "paypal",
    }
}
