//! Errors of the product service and their mapping to HTTP responses.

use common::database::store::StoreError;
use common::http::ApiError;
use contracts::api::Shortage;
use contracts::{ErrorCode, ProductId};

use crate::domain::{MAX_STOCK, PictureError};
use crate::media::MediaError;
use crate::repository::{CONSTRAINT_ONE_REVIEW, CONSTRAINT_SKU};

/// Error of a use case.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Service error: database error.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Service error: unknown or inactive product.
    #[error("Product not found")]
    ProductNotFound,
    /// Unknown or inactive products of a reservation.
    #[error("Some products not found")]
    ProductsNotFound(Vec<ProductId>),
    /// Service error: stock below the requested quantity.
    #[error("Insufficient stock")]
    InsufficientStock(Vec<Shortage>),
    /// Service error: stock above [`MAX_STOCK`] after an adjustment.
    #[error("Stock limit of {MAX_STOCK} exceeded")]
    StockLimitExceeded,
    /// Service error: order without a reservation.
    #[error("Reservation not found")]
    ReservationNotFound,
    /// Reservation that was released; it is final.
    #[error("Reservation already released, use a new order id")]
    ReservationReleased,
    /// Service error: reservation whose stock is sold.
    #[error("Reservation already committed")]
    ReservationCommitted,
    /// Existing reservation of the order with other items.
    #[error("Reservation exists with different items")]
    ReservationMismatch,
    /// Service error: unknown picture.
    #[error("Image not found")]
    ImageNotFound,
    /// Service error: file that is no acceptable picture.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// Failure of the place of the files.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// Service error: unknown review.
    #[error("Review not found")]
    ReviewNotFound,
    /// Service error: author whose account was deleted.
    #[error("Account deleted")]
    AuthorDeleted,
    /// Service error: review of another author.
    #[error("Only the author may delete a review")]
    NotReviewAuthor,
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::Store(error) => from_store(error),
            Error::ProductNotFound => Self::new(ErrorCode::ProductNotFound, detail),
            Error::ProductsNotFound(ids) => {
                Self::new(ErrorCode::ProductNotFound, detail).status(400).with("productIds", ids)
            }
            Error::InsufficientStock(shortages) => {
                Self::new(ErrorCode::InsufficientStock, detail).with("shortages", shortages)
            }
            Error::StockLimitExceeded => {
                let message = format!("must leave a stock of at most {MAX_STOCK}");
                Self::invalid_field("quantity", message)
            }
            Error::ReservationNotFound => Self::new(ErrorCode::ReservationNotFound, detail),
            Error::ReservationReleased => Self::new(ErrorCode::ReservationReleased, detail),
            Error::ReservationCommitted => Self::new(ErrorCode::ReservationCommitted, detail),
            Error::ReservationMismatch => Self::new(ErrorCode::Conflict, detail),
            Error::ImageNotFound => Self::new(ErrorCode::ImageNotFound, detail),
            Error::Picture(PictureError::UnknownFormat) => Self::new(ErrorCode::UnsupportedMediaType, detail),
            Error::Picture(_) => Self::invalid_field("file", detail),
            Error::Media(error) => Self::unavailable("Media store unavailable, retry later", error),
            Error::ReviewNotFound => Self::new(ErrorCode::ReviewNotFound, detail),
            // A token of a deleted account is no longer valid.
            Error::AuthorDeleted => Self::invalid_token(),
            Error::NotReviewAuthor => Self::new(ErrorCode::Forbidden, detail),
        }
    }
}

fn from_store(error: StoreError) -> ApiError {
    match error.unique() {
        Some(CONSTRAINT_SKU) => ApiError::new(ErrorCode::SkuExists, "Sku already exists"),
        Some(CONSTRAINT_ONE_REVIEW) => ApiError::new(ErrorCode::ReviewExists, "Product already reviewed"),
        _ => error.into(),
    }
}
