//! Why the product service does not do what it is asked, and how that is answered: the one place where it is mapped.

use common::consumer::HandleError;
use common::http::ApiError;
use common::store::StoreError;
use contracts::calls::Shortage;
use contracts::{ErrorCode, FieldError, ProductId};

use crate::domain::MAX_STOCK;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The store does not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such product, or it is hidden.
    #[error("Product not found")]
    ProductNotFound,
    /// An order wants products that there are not.
    #[error("Some products not found")]
    ProductsNotFound(Vec<ProductId>),
    /// Less is left than is wanted.
    #[error("Insufficient stock")]
    InsufficientStock(Vec<Shortage>),
    /// There would be more than a shop may have.
    #[error("The stock would be above {MAX_STOCK}")]
    TooMuchStock,
    /// The order has no reservation.
    #[error("Reservation not found")]
    ReservationNotFound,
    /// The reservation was given back.
    #[error("The reservation of this order was released; another attempt needs another order id")]
    ReservationReleased,
    /// The pieces are sold.
    #[error("The reservation of this order is committed")]
    ReservationCommitted,
    /// The order has a reservation of other pieces.
    #[error("This order has a reservation with other items")]
    OtherItems,
    /// There is no such picture.
    #[error("Image not found")]
    ImageNotFound,
    /// There is no such review.
    #[error("Review not found")]
    ReviewNotFound,
    /// The author's account was deleted.
    #[error("The account was deleted")]
    AuthorDeleted,
    /// The review is another person's.
    #[error("A review can only be deleted by its author")]
    NotTheAuthor,
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::Store(error) => stored(error),
            Error::ProductNotFound => Self::new(ErrorCode::ProductNotFound, detail),
            Error::ProductsNotFound(ids) => {
                Self::new(ErrorCode::ProductNotFound, detail).status(400).with("productIds", ids)
            }
            Error::InsufficientStock(shortages) => {
                Self::new(ErrorCode::InsufficientStock, detail).with("shortages", shortages)
            }
            Error::TooMuchStock => {
                let message = format!("must leave a stock of at most {MAX_STOCK}");
                Self::validation(vec![FieldError { field: "quantity".to_owned(), message }])
            }
            Error::ReservationNotFound => Self::new(ErrorCode::ReservationNotFound, detail),
            Error::ReservationReleased => Self::new(ErrorCode::ReservationReleased, detail),
            Error::ReservationCommitted => Self::new(ErrorCode::ReservationCommitted, detail),
            Error::OtherItems => Self::new(ErrorCode::Conflict, detail),
            Error::ImageNotFound => Self::new(ErrorCode::ImageNotFound, detail),
            Error::ReviewNotFound => Self::new(ErrorCode::ReviewNotFound, detail),
            // A token of a deleted account is no longer valid.
            Error::AuthorDeleted => Self::invalid_token(),
            Error::NotTheAuthor => Self::new(ErrorCode::Forbidden, detail),
        }
    }
}

fn stored(error: StoreError) -> ApiError {
    match error.unique() {
        Some(constraint) if constraint.contains("sku") => {
            ApiError::new(ErrorCode::SkuExists, "A product with this sku exists already")
        }
        Some(constraint) if constraint.contains("reviews") => {
            ApiError::new(ErrorCode::ReviewExists, "You have reviewed this product already")
        }
        _ => error.into(),
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
