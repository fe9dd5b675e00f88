//! Port for the storage of carts. Carts publish no events, so that their changes have no effects.

use chrono::{DateTime, Utc};
use common::database::store::StoreError;
use contracts::{CartId, UserId};

use crate::domain::{Cart, CartVersion, FoundCart, LineChange, OrderError};

/// Times at or before which carts are expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CartExpiry {
    /// Last use of a cart.
    pub used: DateTime<Utc>,
    /// Creation of an unclaimed cart that was never changed.
    pub unfilled: DateTime<Utc>,
    /// Merge of a cart into another one.
    pub merged: DateTime<Utc>,
}

common::repository_trait! {
    /// Storage of carts.
    pub trait CartRepository, instrumented as "carts" by InstrumentedCartRepository {
        /// Creates an empty cart with this id, which is unclaimed without an owner. An owner who has a cart keeps it, and
        /// it is returned instead.
        ///
        /// # Errors
        /// [`OrderError::AccountDeleted`] if the owner's account is deleted.
        async fn create(
            &self,
            id: CartId,
            user: Option<UserId>,
            now: DateTime<Utc>,
        ) -> Result<Result<Cart, OrderError>, StoreError>;

        /// Returns the cart with this id, or the one that it was merged into.
        async fn find(&self, id: CartId) -> Result<Option<FoundCart>, StoreError>;

        /// Returns the cart of a person.
        async fn find_by_user(&self, user: UserId) -> Result<Option<Cart>, StoreError>;

        /// Changes a line if the cart is still in this version, which the change raises. Returns whether it was.
        async fn change_line(
            &self,
            of: CartVersion,
            change: &LineChange,
            now: DateTime<Utc>,
        ) -> Result<bool, StoreError>;

        /// Binds a cart to a person, or merges it into the cart that the person has. Returns the surviving cart. Repeated,
        /// it changes nothing and returns the same lines as dropped.
        ///
        /// # Errors
        /// [`OrderError::CartNotFound`], also for a cart of another person; [`OrderError::AccountDeleted`].
        async fn claim(
            &self,
            id: CartId,
            user: UserId,
            now: DateTime<Utc>,
        ) -> Result<Result<FoundCart, OrderError>, StoreError>;

        /// Deletes the cart with this id, or the one that it was merged into, with all that were merged into that. Returns
        /// whether it existed and was unclaimed or of this person.
        async fn delete(&self, id: CartId, user: Option<UserId>) -> Result<bool, StoreError>;

        /// Records that a cart was read.
        async fn record_use(&self, id: CartId, now: DateTime<Utc>) -> Result<(), StoreError>;

        /// Deletes up to `limit` carts of each kind that are expired. Returns their number.
        async fn delete_expired(&self, expiry: CartExpiry, limit: u32) -> Result<u64, StoreError>;
    }
}
