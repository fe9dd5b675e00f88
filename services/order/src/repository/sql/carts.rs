//! Repository of carts on PostgreSQL and SQLite.
//!
//! A change of a cart updates its row first, where the version is the one that was read; that row is the lock of the
//! lines. What concerns the ownership of carts locks the person's row of `customers` before, and several carts in the
//! order of their ids.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use common::database::store::StoreError;
use common::database::{Connection, Database, Tx, failpoints, query};
use contracts::{CartId, UserId};

use self::rows::CartRow;
use super::customers;
use crate::NAME;
use crate::domain::{Cart, CartVersion, FoundCart, LineChange, OrderError};
use crate::repository::{CartExpiry, CartRepository};

mod rows;
pub mod statements;

/// Carts in a SQL database.
pub struct SqlCartRepository {
    db: Database,
}

impl SqlCartRepository {
    /// Creates the repository on a database with the tables of [`MIGRATIONS`](super::MIGRATIONS).
    #[must_use]
    pub const fn new(db: Database) -> Self {
        Self { db }
    }
}

/// Empties a cart that a person orders. Returns `false` if the cart is in another version, another person's or deleted.
pub(super) async fn empty_ordered(
    db: &mut Connection,
    cart: CartVersion,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let raise = query(statements::RAISE_VERSION_OF_ORDERED).bind(cart.id).bind(cart.version).bind(now).bind(user);
    if raise.execute(db).await? == 0 {
        return Ok(false);
    }
    query(statements::DELETE_LINES).bind(cart.id).execute(db).await?;
    // The failpoints of the order's commit do not distinguish orders from carts.
    hit("before-commit", "cart ordered");
    Ok(true)
}

/// Deletes the cart of a person, and those that were merged into it. The person's row must be locked.
pub(super) async fn delete_by_user(db: &mut Connection, user: UserId) -> Result<(), StoreError> {
    query(statements::DELETE_CARTS_BY_USER).bind(user).execute(db).await.map(drop)
}

/// Commits a change of carts, which has no effects, with the failpoints of a commit.
async fn commit(tx: Tx, change: &str) -> Result<(), StoreError> {
    hit("before-commit", change);
    tx.commit().await?;
    hit("after-commit", change);
    Ok(())
}

/// Hits a failpoint of a change of carts.
pub(super) fn hit(place: &'static str, change: &str) {
    failpoints::hit(place, || format!("{NAME} {change}"));
}

#[async_trait]
impl CartRepository for SqlCartRepository {
    async fn create(
        &self,
        id: CartId,
        user: Option<UserId>,
        now: DateTime<Utc>,
    ) -> Result<Result<Cart, OrderError>, StoreError> {
        let mut tx = self.db.begin().await?;
        if let Some(user) = user {
            if customers::lock(&mut tx, user).await?.is_deleted() {
                tx.rollback().await?;
                return Ok(Err(OrderError::AccountDeleted));
            }
            if let Some(cart) = rows::find_by_user(&mut tx, user).await? {
                tx.rollback().await?;
                return Ok(Ok(cart));
            }
        }
        query(statements::INSERT_CART).bind(id).bind(user).bind(now).execute(&mut tx).await?;
        commit(tx, "cart created").await?;
        Ok(Ok(Cart::new(id, user, now)))
    }

    async fn find(&self, id: CartId) -> Result<Option<FoundCart>, StoreError> {
        let mut tx = self.db.snapshot().await?;
        let found = rows::resolve(&mut tx, id).await?;
        tx.commit().await?;
        Ok(found)
    }

    async fn find_by_user(&self, user: UserId) -> Result<Option<Cart>, StoreError> {
        let mut tx = self.db.snapshot().await?;
        let found = rows::find_by_user(&mut tx, user).await?;
        tx.commit().await?;
        Ok(found)
    }

    async fn change_line(&self, of: CartVersion, change: &LineChange, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let mut tx = self.db.begin().await?;
        let raised = query(statements::RAISE_VERSION).bind(of.id).bind(of.version).bind(now).execute(&mut tx).await?;
        if raised == 0 {
            tx.rollback().await?;
            return Ok(false);
        }
        rows::write_change(&mut tx, of.id, change).await?;
        commit(tx, "cart changed").await?;
        Ok(true)
    }

    async fn claim(
        &self,
        id: CartId,
        user: UserId,
        now: DateTime<Utc>,
    ) -> Result<Result<FoundCart, OrderError>, StoreError> {
        let mut tx = self.db.begin().await?;
        let claimed = match customers::lock(&mut tx, user).await?.is_deleted() {
            true => Err(OrderError::AccountDeleted),
            false => claim(&mut tx, id, user, now).await?,
        };
        match claimed {
            Ok(_) => commit(tx, "cart claimed").await?,
            Err(_) => tx.rollback().await?,
        }
        Ok(claimed)
    }

    async fn delete(&self, id: CartId, user: Option<UserId>) -> Result<bool, StoreError> {
        let mut tx = self.db.begin().await?;
        let Some(CartRow { cart, merged_into }) =
            rows::find(&mut tx, id).await?.filter(|row| row.cart.is_usable_by(user))
        else {
            tx.rollback().await?;
            return Ok(false);
        };
        let deleted = match cart.user_id {
            None => query(statements::DELETE_UNCLAIMED_CART).bind(id).execute(&mut tx).await?,
            Some(owner) => {
                customers::lock(&mut tx, owner).await?;
                let survivor = merged_into.unwrap_or(id);
                query(statements::DELETE_CART_OF_USER).bind(survivor).bind(owner).execute(&mut tx).await?
            }
        };
        commit(tx, "cart deleted").await?;
        Ok(deleted > 0)
    }

    async fn record_use(&self, id: CartId, now: DateTime<Utc>) -> Result<(), StoreError> {
        query(statements::RECORD_USE).bind(id).bind(now).execute(&mut self.db.writer().await?).await.map(drop)
    }

    async fn delete_expired(&self, expiry: CartExpiry, limit: u32) -> Result<u64, StoreError> {
        let mut deleted = 0;
        let mut db = self.db.writer().await?;
        for (statement, before) in [
            (&statements::DELETE_MERGED, expiry.merged),
            (&statements::DELETE_UNFILLED, expiry.unfilled),
            (&statements::DELETE_UNUSED, expiry.used),
        ] {
            deleted += query(statement).bind(before).bind(limit).execute(&mut db).await?;
        }
        Ok(deleted)
    }
}

/// Binds or merges a cart. The person's row is locked.
async fn claim(
    db: &mut Connection,
    id: CartId,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<Result<FoundCart, OrderError>, StoreError> {
    let locked = query(&statements::LOCK_CARTS).bind(id).bind(user).fetch_all(db).await?;
    let mut locked = locked.iter().map(CartRow::new).collect::<Result<Vec<_>, _>>()?;
    let claimed = locked.iter().position(|row| row.cart.id == id).map(|index| locked.swap_remove(index));
    let Some(claimed) = claimed.filter(|row| row.cart.is_usable_by(Some(user))) else {
        return Ok(Err(OrderError::CartNotFound));
    };
    let own = locked.pop();
    match (claimed.merged_into, own) {
        (Some(_), Some(own)) => {
            query(statements::RECORD_USE).bind(own.cart.id).bind(now).execute(db).await?;
            let cart = own.with_lines(db).await?;
            Ok(Ok(FoundCart { cart, dropped: rows::find_lines(db, id).await? }))
        }
        // A survivor is deleted together with the carts that were merged into it.
        (Some(_), None) => Ok(Err(OrderError::CartNotFound)),
        (None, None) if claimed.cart.user_id == Some(user) => Ok(Ok(claimed.with_lines(db).await?.into())),
        (None, None) => {
            query(statements::BIND_CART).bind(id).bind(user).bind(now).execute(db).await?;
            let cart = claimed.with_lines(db).await?;
            let version = cart.version + 1;
            Ok(Ok(Cart { user_id: Some(user), version, updated_at: now, used_at: now, ..cart }.into()))
        }
        (None, Some(own)) => merge(db, claimed, own, now).await.map(Ok),
    }
}

/// Merges an unclaimed cart into the cart of a person. Lines without room stay in the merged cart.
async fn merge(
    db: &mut Connection,
    claimed: CartRow,
    own: CartRow,
    now: DateTime<Utc>,
) -> Result<FoundCart, StoreError> {
    let (claimed, mut cart) = (claimed.with_lines(db).await?, own.with_lines(db).await?);
    let merged = cart.merge(claimed.lines, now);
    for line in &merged.set {
        rows::set_line(db, cart.id, line).await?;
    }
    let update = query(statements::UPDATE_CART).bind(cart.id).bind(cart.version).bind(cart.updated_at);
    update.bind(cart.used_at).execute(db).await?;
    query(statements::DELETE_LINES).bind(claimed.id).execute(db).await?;
    for line in &merged.dropped {
        rows::set_line(db, claimed.id, line).await?;
    }
    let mark = query(statements::MARK_MERGED).bind(claimed.id).bind(cart.user_id).bind(cart.id).bind(now);
    mark.execute(db).await?;
    Ok(FoundCart { cart, dropped: merged.dropped })
}
