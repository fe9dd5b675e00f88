//! Reviews and ratings.

use chrono::{DateTime, Utc};
use contracts::api::Rating;
use contracts::{ProductId, ReviewId, UserId};
use serde::Serialize;
use utoipa::ToSchema;

/// Review of a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Review {
    /// Id of the review.
    pub id: ReviewId,
    /// Reviewed product.
    pub product_id: ProductId,
    /// Author; `null` once the account was deleted.
    pub user_id: Option<UserId>,
    /// Rating from 1 to 5.
    #[schema(minimum = 1, maximum = 5)]
    pub rating: i64,
    /// Title of the review.
    pub title: Option<String>,
    /// Text of the review.
    pub comment: Option<String>,
    /// Time at which the review was created.
    pub created_at: DateTime<Utc>,
}

/// Review to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewReview {
    /// Author of the review.
    pub user_id: UserId,
    /// Rating from 1 to 5.
    pub rating: i64,
    /// Title of the review.
    pub title: Option<String>,
    /// Text of the review.
    pub comment: Option<String>,
}

/// Conditions of a review list; all of them apply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReviewFilter {
    /// Reviewed product.
    pub product: Option<ProductId>,
    /// Author of the reviews.
    pub author: Option<UserId>,
    /// Rating from 1 to 5.
    pub rating: Option<i64>,
}

impl Review {
    /// Returns true if the actor may delete the review: its author and admins may.
    pub(crate) fn can_be_deleted_by(&self, actor: ReviewActor) -> bool {
        actor.is_admin || self.user_id == Some(actor.user_id)
    }
}

/// Caller who deletes a review.
#[derive(Clone, Copy, Debug)]
pub struct ReviewActor {
    /// Account of the caller.
    pub user_id: UserId,
    /// Permission to delete any review.
    pub is_admin: bool,
}

/// Returns the mean of `count` ratings with this `sum`, rounded half up to the hundredth; zero without ratings.
#[must_use]
pub const fn mean(sum: i64, count: i64) -> Rating {
    if count <= 0 {
        return Rating::ZERO;
    }
    Rating::from_cents((sum * 200 + count) / (count * 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_is_rounded_half_up_to_the_hundredth() {
        for (sum, count, hundredths) in
            [(0, 0, 0), (5, 1, 500), (9, 2, 450), (13, 3, 433), (14, 3, 467), (33, 8, 413), (1, 1, 100)]
        {
            assert_eq!(mean(sum, count), Rating::from_cents(hundredths), "{sum}/{count}");
        }
    }
}
