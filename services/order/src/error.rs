//! Errors of the order service and their mapping to HTTP responses.

use std::time::Duration;

use common::client::CallError;
use common::database::store::StoreError;
use common::http::ApiError;
use contracts::api::Shortage;
use contracts::limits::MAX_ORDER_LINES;
use contracts::{ErrorCode, ProductId};
use serde::Serialize;

use crate::domain::{OrderError, Totals};

/// Delay before a change of a contended cart should be retried.
const CONTENDED_RETRY_AFTER: Duration = Duration::from_secs(1);

/// Error of a use case.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Service error: violation of a domain rule.
    #[error(transparent)]
    Domain(#[from] OrderError),
    /// Service error: failure of the repository.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Failure of a call to another service.
    #[error(transparent)]
    Upstream(#[from] CallError),
    /// Service error: unknown customer.
    #[error("User not found")]
    UserNotFound,
    /// Service error: unknown or unavailable product.
    #[error("Some products not found")]
    ProductsNotFound,
    /// Service error: requested quantities above the available stock.
    #[error("Insufficient stock for some items")]
    InsufficientStock(Vec<Shortage>),
    /// Total other than the one that the client showed.
    #[error("The total has changed")]
    TotalChanged(Totals),
    /// Cart that others changed during each attempt to change it.
    #[error("The cart is being changed, retry later")]
    CartContended,
    /// Unknown order after which a page is to start.
    #[error("after must be the id of an order")]
    UnknownStart,
    /// Reservation that expired before the order was committed.
    #[error("Reservation expired, retry later")]
    ReservationExpired,
}

/// JSON form of a [`Shortage`] in responses of the order service.
#[derive(Serialize)]
struct ShortageBody {
    product_id: ProductId,
    requested: i64,
    available: i64,
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::Domain(OrderError::CartFull) => {
                let message = format!("must have at most {MAX_ORDER_LINES} lines");
                Self::invalid_field("items", message).status(422)
            }
            Error::Domain(error) => Self::new(code(error), detail),
            Error::Store(error) => error.into(),
            Error::Upstream(error) => error.into(),
            Error::UserNotFound => Self::new(ErrorCode::UserNotFound, detail),
            // The product is a field of the request and not the requested resource, so the status is not 404.
            Error::ProductsNotFound => Self::new(ErrorCode::ProductNotFound, detail).status(400),
            Error::InsufficientStock(shortages) => {
                let shortages = shortages.into_iter().map(|Shortage { product_id, requested, available }| {
                    ShortageBody { product_id, requested, available }
                });
                Self::new(ErrorCode::InsufficientStock, detail).with("shortages", shortages.collect::<Vec<_>>())
            }
            Error::TotalChanged(totals) => Self::new(ErrorCode::TotalChanged, detail)
                .with("subtotal", totals.subtotal)
                .with("tax_amount", totals.tax)
                .with("shipping_amount", totals.shipping)
                .with("discount_amount", totals.discount)
                .with("total_amount", totals.total),
            Error::CartContended => Self::new(ErrorCode::Conflict, detail).retry_after(CONTENDED_RETRY_AFTER),
            Error::UnknownStart => {
                let message = "must be the id of an order".to_owned();
                Self::invalid_field("after", message)
            }
            Error::ReservationExpired => Self::unavailable(detail, error),
        }
    }
}

const fn code(error: OrderError) -> ErrorCode {
    match error {
        OrderError::NotFound => ErrorCode::OrderNotFound,
        OrderError::TotalTooLarge => ErrorCode::TotalTooLarge,
        OrderError::StatusReadOnly | OrderError::AdminOnly => ErrorCode::Forbidden,
        OrderError::NotShipped => ErrorCode::OrderNotShipped,
        OrderError::NotChangeable => ErrorCode::OrderNotChangeable,
        OrderError::InvalidTransition { .. } => ErrorCode::InvalidTransition,
        OrderError::NotCancellable => ErrorCode::NotCancellable,
        OrderError::TooManyUnpaidOrders { .. } => ErrorCode::TooManyUnpaidOrders,
        OrderError::TooManyUnpaidPieces { .. } => ErrorCode::TooManyUnpaidPieces,
        OrderError::AccountDeleted => ErrorCode::UserNotFound,
        OrderError::CartNotFound => ErrorCode::CartNotFound,
        OrderError::CartChanged => ErrorCode::CartChanged,
        OrderError::CartEmpty => ErrorCode::CartEmpty,
        OrderError::CartFull => ErrorCode::ValidationFailed,
    }
}
