//! Payment method of a request, and its checks against the intent.

use crate::config;
use crate::http::auth::Caller;
use crate::http::params::{self, Params};
use crate::http::response::ApiError;
use crate::model::intent::Intent;
use crate::model::method::Method;
use crate::model::test_methods::{self, REDIRECT};
use crate::store::methods;
use crate::transaction::LedgerTx;

/// Payment method as it is sent.
#[derive(Clone, Debug)]
pub(crate) enum MethodChoice {
    /// `payment_method`: a test method or one in the ledger.
    Named(String),
    /// `payment_method_data[type]`: a type that redirects the customer to a page.
    OfType(String),
}

impl MethodChoice {
    /// Parses `payment_method` or `payment_method_data`.
    pub(crate) fn parse(params: &Params) -> Result<Option<Self>, ApiError> {
        let named = params.text("payment_method")?;
        let Some(data) = params.inner("payment_method_data")? else {
            return Ok(named.map(|name| Self::Named(name.to_owned())));
        };
        if named.is_some() {
            return Err(ApiError::invalid(
                "You may only specify one of these parameters: payment_method, payment_method_data.",
            )
            .code("parameters_exclusive"));
        }
        let kind = data.text("type")?.ok_or_else(|| params::missing("payment_method_data[type]"))?;
        if kind == "card" {
            return Err(ApiError::invalid(
                "Sending credit card numbers directly to the Stripe API is generally unsafe. We suggest you use test \
                 tokens that map to the test card you are using, see https://stripe.com/docs/testing.",
            )
            .param("payment_method_data"));
        }
        Ok(Some(Self::OfType(kind.to_owned())))
    }

    /// Returns the payment method. A new one is not in the ledger yet.
    pub(crate) async fn resolve(&self, tx: &mut LedgerTx) -> Result<Method, ApiError> {
        let created = tx.now.seconds();
        match self {
            Self::OfType(kind) => Ok(Method::redirect(kind, created)),
            Self::Named(name) => match test_methods::by_name(name) {
                Some(test) => Ok(Method::of_test(test, created)),
                None => methods::find(tx.conn(), name)
                    .await?
                    .ok_or_else(|| ApiError::missing("PaymentMethod", name, "payment_method")),
            },
        }
    }
}

/// Rejects a payment method of a type that the intent does not allow.
pub(crate) fn check_type(intent: &Intent, method: &Method) -> Result<(), ApiError> {
    let types = &intent.payment_method_types.0;
    if types.contains(&method.r#type) {
        return Ok(());
    }
    let (kind, allowed) = (&method.r#type, types.join(", "));
    Err(ApiError::invalid(format!(
        "The PaymentMethod provided ({kind}) is not allowed for this PaymentIntent. Please attach a PaymentMethod of one \
         of the following types: {allowed}. Alternatively, update the allowed payment_method_types for this \
         PaymentIntent to include \"{kind}\""
    ))
    .param("payment_method"))
}

/// Requires a return URL for a payment method that redirects, and for a confirmation by the account of an intent whose
/// automatic methods may redirect. A browser library shows the page without leaving the shop.
pub(crate) fn check_return_url(intent: &Intent, method: &Method, caller: Caller) -> Result<(), ApiError> {
    if intent.return_url.is_some() {
        return Ok(());
    }
    let types = &intent.payment_method_types.0;
    let may_redirect = intent.allow_redirects == "always" && types.iter().any(|kind| kind != "card");
    if caller == Caller::Account && intent.automatic_methods && may_redirect {
        return Err(ApiError::invalid(
            "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of these \
             payment methods might redirect your customer off of your page, you must provide a `return_url`. If you \
             don't want to accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and \
             `automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and Payment Intents.",
        )
        .param("return_url"));
    }
    if method.token == REDIRECT {
        return Err(ApiError::invalid(format!(
            "You must provide a `return_url` when confirming using a PaymentMethod of the type {}.",
            method.r#type
        ))
        .code("parameter_missing")
        .param("return_url"));
    }
    Ok(())
}

/// Parses `return_url`, an absolute HTTP URL.
pub(crate) fn return_url(params: &Params) -> Result<Option<String>, ApiError> {
    match params.text("return_url")? {
        Some(address) if !config::is_http(address) => {
            Err(ApiError::invalid("Not a valid URL").code("url_invalid").param("return_url"))
        }
        address => Ok(address.map(str::to_owned)),
    }
}
