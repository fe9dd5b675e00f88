//! Errors of the payment service and their mapping to HTTP responses.

use std::time::Duration;

use common::client::CallError;
use common::database::store::StoreError;
use common::http::ApiError;
use common::messaging::consumer::HandleError;
use contracts::ErrorCode;

use crate::clients::stripe::{SignatureError, StripeError};
use crate::domain::PaymentError;

/// `Retry-After` of transient errors.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Error of a use case.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Service error: a domain rule was violated.
    #[error(transparent)]
    Domain(#[from] PaymentError),
    /// Service error: the store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The payment provider failed or rejected the request.
    #[error(transparent)]
    Provider(#[from] StripeError),
    /// The order service, or the issuer of the service token, is unavailable.
    #[error("the order service is unavailable")]
    Upstream(#[source] CallError),
    /// The order does not exist, or belongs to another user.
    #[error("Order not found")]
    OrderNotFound,
    /// The caller may not pay on behalf of this user.
    #[error("A payment can only be made for oneself")]
    NotOwnPayment,
    /// The named user does not own the order.
    #[error("user_id must be the order's owner")]
    NotOrderOwner,
    /// The payment or refund after which a page starts does not exist.
    #[error("after must be the id of a {0}")]
    UnknownStart(&'static str),
    /// Service error: the currency differs from the order's.
    #[error("Currency must be {0}")]
    CurrencyMismatch(String),
    /// The signature of a webhook is not valid.
    #[error(transparent)]
    InvalidSignature(#[from] SignatureError),
    /// The body of a webhook is not a JSON object.
    #[error("Body is not a JSON object")]
    MalformedWebhook(#[source] serde_json::Error),
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::Domain(error) => from_domain(&error),
            Error::Store(error) => from_store(error),
            Error::Provider(error) => from_provider(error),
            Error::Upstream(error) => error.into(),
            Error::OrderNotFound => Self::new(ErrorCode::OrderNotFound, detail),
            Error::NotOwnPayment => Self::new(ErrorCode::Forbidden, detail),
            Error::NotOrderOwner => {
                let message = "must be the order's owner".to_owned();
                Self::invalid_field("user_id", message)
            }
            Error::UnknownStart(kind) => {
                let message = format!("must be the id of a {kind}");
                Self::invalid_field("after", message)
            }
            Error::CurrencyMismatch(_) => Self::new(ErrorCode::CurrencyMismatch, detail),
            Error::InvalidSignature(_) => Self::new(ErrorCode::InvalidSignature, detail),
            Error::MalformedWebhook(source) => Self::new(ErrorCode::MalformedBody, detail).because(source),
        }
    }
}

fn from_domain(error: &PaymentError) -> ApiError {
    let code = match error {
        PaymentError::OrderCancelled | PaymentError::OrderPaid => ErrorCode::OrderNotPayable,
        PaymentError::AmountMismatch { .. } => ErrorCode::AmountMismatch,
        PaymentError::InProgress => ErrorCode::PaymentInProgress,
        PaymentError::AlreadyConfirmed => ErrorCode::PaymentAlreadyConfirmed,
        PaymentError::NotConfirmable => ErrorCode::PaymentNotConfirmable,
        PaymentError::NotRefundable { .. } => ErrorCode::NotRefundable,
        PaymentError::RefundTooLarge { .. } => ErrorCode::RefundTooLarge,
        PaymentError::NotFound => ErrorCode::PaymentNotFound,
        PaymentError::RefundNotFound => ErrorCode::RefundNotFound,
        PaymentError::NotRetryable => ErrorCode::RefundNotRetryable,
        PaymentError::NotSettleable | PaymentError::SettlesTooMuch { .. } => ErrorCode::RefundNotSettleable,
        PaymentError::LeaseLost | PaymentError::TooManyHints => ErrorCode::ServiceUnavailable,
    };
    let response = ApiError::new(code, error.to_string());
    match error {
        PaymentError::LeaseLost | PaymentError::TooManyHints => response.retry_after(RETRY_AFTER),
        PaymentError::AmountMismatch { owed } | PaymentError::SettlesTooMuch { owed } => response.with("owed", owed),
        _ => response,
    }
}

fn from_store(error: StoreError) -> ApiError {
    if error.is_retryable() {
        ApiError::unavailable("Payments are unavailable, retry later", error)
    } else {
        ApiError::internal(error)
    }
}

fn from_provider(error: StripeError) -> ApiError {
    if error.is_method_unavailable() {
        let detail = "The payment provider's account does not offer this payment method";
        return ApiError::new(ErrorCode::PaymentMethodUnavailable, detail).because(error);
    }
    match error {
        StripeError::Unreachable(_) | StripeError::Transient { status: 429, .. } => {
            ApiError::new(ErrorCode::ProviderUnavailable, "Payment provider unavailable, retry later")
                .retry_after(RETRY_AFTER)
                .because(error)
        }
        StripeError::Failed { .. } | StripeError::Transient { .. } => {
            ApiError::new(ErrorCode::ProviderError, "Payment provider failed, retry later")
                .retry_after(RETRY_AFTER)
                .because(error)
        }
        StripeError::Rejected { .. } => {
            ApiError::new(ErrorCode::ProviderError, "Payment provider rejected the request").because(error)
        }
    }
}

impl From<Error> for HandleError {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(error) => error.into(),
            other => Self::Rejected(other.into()),
        }
    }
}
