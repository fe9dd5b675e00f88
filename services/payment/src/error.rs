//! Why the payment service does not do what it is asked, and how that is answered: the one place where it is mapped.

use std::time::Duration;

use common::client::CallError;
use common::consumer::HandleError;
use common::http::ApiError;
use common::store::StoreError;
use contracts::ErrorCode;

use crate::domain::Refusal;
use crate::stripe::StripeError;

/// When a client may come back after a fault that passes.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A rule does not allow it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store does not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The payment provider does not do it.
    #[error(transparent)]
    Provider(#[from] StripeError),
    /// The order service does not answer.
    #[error("the order service cannot be asked")]
    Orders(#[source] CallError),
    /// There is no such order, or it is another person's.
    #[error("Order not found")]
    OrderNotFound,
    /// The amount is in another currency than the order's.
    #[error("Currency must be {0}")]
    CurrencyMismatch(String),
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => refused(&refusal),
            Error::Store(error) => stored(error),
            Error::Provider(error) => provided(error),
            Error::Orders(error) => error.into(),
            Error::OrderNotFound => Self::new(ErrorCode::OrderNotFound, error.to_string()),
            Error::CurrencyMismatch(_) => Self::new(ErrorCode::CurrencyMismatch, error.to_string()),
        }
    }
}

fn refused(refusal: &Refusal) -> ApiError {
    let code = match refusal {
        Refusal::OrderCancelled | Refusal::OrderPaid => ErrorCode::OrderNotPayable,
        Refusal::AmountMismatch { .. } => ErrorCode::AmountMismatch,
        Refusal::InProgress => ErrorCode::PaymentInProgress,
        Refusal::AlreadyConfirmed => ErrorCode::PaymentAlreadyConfirmed,
        Refusal::NotConfirmable => ErrorCode::PaymentNotConfirmable,
        Refusal::NotRefundable { .. } => ErrorCode::NotRefundable,
        Refusal::RefundTooLarge { .. } => ErrorCode::RefundTooLarge,
        Refusal::NotFound => ErrorCode::PaymentNotFound,
        Refusal::RefundNotFound => ErrorCode::RefundNotFound,
        Refusal::NotRetryable => ErrorCode::RefundNotRetryable,
        Refusal::NotSettleable | Refusal::SettlesTooMuch { .. } => ErrorCode::RefundNotSettleable,
        Refusal::LeaseLost | Refusal::TooManyHints => ErrorCode::ServiceUnavailable,
    };
    let error = ApiError::new(code, refusal.to_string());
    match refusal {
        Refusal::LeaseLost | Refusal::TooManyHints => error.retry_after(RETRY_AFTER),
        Refusal::AmountMismatch { owed } | Refusal::SettlesTooMuch { owed } => error.with("owed", owed),
        _ => error,
    }
}

fn stored(error: StoreError) -> ApiError {
    if error.is_retryable() {
        ApiError::unavailable("The payments cannot be read or written now", error)
    } else {
        ApiError::internal(error)
    }
}

fn provided(error: StripeError) -> ApiError {
    if error.is_method_unavailable() {
        let detail = "The payment provider's account does not offer this payment method";
        return ApiError::new(ErrorCode::PaymentMethodUnavailable, detail).because(error);
    }
    match error {
        StripeError::Unreachable(_) | StripeError::NotNow { status: 429, .. } => {
            ApiError::new(ErrorCode::ProviderUnavailable, "The payment provider does not answer")
                .retry_after(RETRY_AFTER)
                .because(error)
        }
        StripeError::Failed { .. } | StripeError::NotNow { .. } => {
            ApiError::new(ErrorCode::ProviderError, "The payment provider failed")
                .retry_after(RETRY_AFTER)
                .because(error)
        }
        StripeError::Refused { .. } => {
            ApiError::new(ErrorCode::ProviderError, "The payment provider refused").because(error)
        }
    }
}

impl From<Error> for HandleError {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(error) => error.into(),
            other => Self::Fault(other.into()),
        }
    }
}
