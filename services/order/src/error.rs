//! Why the order service does not do what it is asked, and how that is answered: the one place where it is mapped.

use common::client::CallError;
use common::http::ApiError;
use common::store::StoreError;
use contracts::calls::Shortage;
use contracts::{ErrorCode, ProductId};
use serde::Serialize;

use crate::domain::{Refusal, Totals};

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A rule does not allow it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store does not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another service that is needed does not answer.
    #[error(transparent)]
    Peer(#[from] CallError),
    /// There is no such person.
    #[error("User not found")]
    UserNotFound,
    /// A product is not on sale.
    #[error("Some products not found")]
    ProductsNotFound,
    /// Less is in stock than is wanted.
    #[error("Insufficient stock for some items")]
    InsufficientStock(Vec<Shortage>),
    /// The order costs another total than the client showed.
    #[error("The total has changed")]
    TotalChanged(Totals),
    /// It took so long that the order's id was given up meanwhile.
    #[error("The order could not be placed in time")]
    Overtaken,
}

/// A [`Shortage`] as the order service speaks.
#[derive(Serialize)]
struct Short {
    product_id: ProductId,
    requested: i64,
    available: i64,
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::Refused(refusal) => Self::new(code(refusal), text),
            Error::Store(error) => error.into(),
            Error::Peer(error) => error.into(),
            Error::UserNotFound => Self::new(ErrorCode::UserNotFound, text),
            // As one field of the order that is not valid, not as the thing that was asked for.
            Error::ProductsNotFound => Self::new(ErrorCode::ProductNotFound, text).status(400),
            Error::InsufficientStock(shortages) => {
                let shortages = shortages.into_iter().map(|Shortage { product_id, requested, available }| Short {
                    product_id,
                    requested,
                    available,
                });
                Self::new(ErrorCode::InsufficientStock, text).with("shortages", shortages.collect::<Vec<_>>())
            }
            Error::TotalChanged(totals) => Self::new(ErrorCode::TotalChanged, text)
                .with("subtotal", totals.subtotal)
                .with("tax_amount", totals.tax)
                .with("shipping_amount", totals.shipping)
                .with("discount_amount", totals.discount)
                .with("total_amount", totals.total),
            Error::Overtaken => Self::unavailable(text, error),
        }
    }
}

const fn code(refusal: Refusal) -> ErrorCode {
    match refusal {
        Refusal::NotFound => ErrorCode::OrderNotFound,
        Refusal::TotalTooLarge => ErrorCode::TotalTooLarge,
        Refusal::StatusIsTheShops => ErrorCode::Forbidden,
        Refusal::NotChangeable => ErrorCode::OrderNotChangeable,
        Refusal::InvalidTransition { .. } => ErrorCode::InvalidTransition,
        Refusal::NotCancellable => ErrorCode::NotCancellable,
        Refusal::TooManyUnpaidOrders { .. } => ErrorCode::TooManyUnpaidOrders,
        Refusal::TooManyUnpaidPieces { .. } => ErrorCode::TooManyUnpaidPieces,
        Refusal::AccountDeleted => ErrorCode::UserNotFound,
    }
}
