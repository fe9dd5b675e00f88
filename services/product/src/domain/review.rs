//! What people think of a product.

use chrono::{DateTime, Utc};
use contracts::calls::Rating;
use contracts::{ProductId, ReviewId, UserId};
use serde::Serialize;
use utoipa::ToSchema;

/// A person's opinion of a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Review {
    /// Its id.
    pub id: ReviewId,
    /// Of which product.
    pub product_id: ProductId,
    /// Whose; `null` once the account was deleted.
    pub user_id: Option<UserId>,
    /// From 1 to 5.
    #[schema(minimum = 1, maximum = 5)]
    pub rating: i64,
    /// In a few words.
    pub title: Option<String>,
    /// In more.
    pub comment: Option<String>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
}

/// A review that is about to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewReview {
    /// Whose.
    pub user_id: UserId,
    /// From 1 to 5.
    pub rating: i64,
    /// In a few words.
    pub title: Option<String>,
    /// In more.
    pub comment: Option<String>,
}

/// The mean of `count` ratings that add up to `sum`, to the hundredth, halves up; 0 without any.
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
    fn a_mean_is_rounded_half_up_to_the_hundredth() {
        for (sum, count, hundredths) in
            [(0, 0, 0), (5, 1, 500), (9, 2, 450), (13, 3, 433), (14, 3, 467), (33, 8, 413), (1, 1, 100)]
        {
            assert_eq!(mean(sum, count), Rating::from_cents(hundredths), "{sum}/{count}");
        }
    }
}
