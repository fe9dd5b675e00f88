//! The indexes.

use std::time::Duration;

use common::store::StoreError;
use mongodb::IndexModel;
use mongodb::bson::{Document, doc};
use mongodb::options::IndexOptions;

use super::MongoUsers;
use super::answers::write;

/// One account an address.
pub(super) const EMAIL: &str = "users_email";
/// A message is handled once.
pub(super) const HANDLED: &str = "users_handled";
/// Events by when a relay may take them.
pub(super) const CLAIMABLE: &str = "users_claimable";
/// A revocation has one position in the feed.
pub(super) const FEED_EVENT: &str = "revocations_event";

/// Failures stay so long after they count no more: which ones count is told by the clock that is passed in, not by the
/// server's.
const FAILURES_STAY: Duration = Duration::from_secs(3600);

fn index(name: &str, keys: Document) -> IndexModel {
    IndexModel::builder().keys(keys).options(IndexOptions::builder().name(name.to_owned()).build()).build()
}

fn with(mut index: IndexModel, change: impl FnOnce(&mut IndexOptions)) -> IndexModel {
    change(index.options.get_or_insert_default());
    index
}

/// Of those that have an address: who is deleted has none.
fn of_the_living(options: &mut IndexOptions) {
    options.partial_filter_expression = Some(doc! { "email": { "$exists": true } });
}

fn sparse(options: &mut IndexOptions) {
    options.sparse = Some(true);
}

/// Makes the indexes that are not there yet; several instances may do so at once.
pub(super) async fn make(store: &MongoUsers) -> Result<(), StoreError> {
    let users = [
        with(index(EMAIL, doc! { "email": 1 }), |options| {
            options.unique = Some(true);
            of_the_living(options);
        }),
        with(index("users_by_time", doc! { "created_at": -1, "_id": -1 }), of_the_living),
        with(index("users_by_role", doc! { "role": 1, "created_at": -1, "_id": -1 }), of_the_living),
        with(index("users_deleted", doc! { "deleted_at": 1 }), sparse),
        with(index(CLAIMABLE, doc! { "events.claimed_until": 1 }), sparse),
        with(index("users_event", doc! { "events.id": 1 }), sparse),
        with(index("users_revoked", doc! { "revoked.id": 1 }), sparse),
        with(index(HANDLED, doc! { "handled": 1 }), |options| {
            options.unique = Some(true);
            sparse(options);
        }),
    ];
    write(store.users.create_indexes(users)).await?;
    let feed = [
        with(index(FEED_EVENT, doc! { "event": 1 }), |options| options.unique = Some(true)),
        index("revocations_expired", doc! { "expires_at": 1 }),
    ];
    write(store.feed.create_indexes(feed)).await?;
    let expired = with(index("login_failures_expired", doc! { "expires_at": 1 }), |options| {
        options.expire_after = Some(FAILURES_STAY);
    });
    write(store.failures.create_index(expired)).await?;
    Ok(())
}
