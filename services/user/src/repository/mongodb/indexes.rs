//! Indexes of the collections.

use std::time::Duration;

use common::database::store::StoreError;
use mongodb::IndexModel;
use mongodb::bson::{Document, doc};
use mongodb::options::IndexOptions;

use super::client::MongoClient;
use super::errors::run_write;

/// Unique index of e-mail addresses.
pub(super) const EMAIL: &str = "users_email";
/// Unique index of handled messages.
pub(super) const HANDLED: &str = "users_handled";
/// Index of unpublished events by the end of their lease.
pub(super) const CLAIMABLE: &str = "users_claimable";
/// Index of waiting mails by the time of their next attempt.
pub(super) const MAILS_DUE: &str = "users_mails_due";
/// Unique index of revocations in the feed by their event.
pub(super) const FEED_EVENT: &str = "revocations_event";

/// Time between the expiry of login failures and their removal by the server, whose clock may differ from the clock of
/// the service.
const FAILURE_RETENTION: Duration = Duration::from_secs(3600);

fn index(name: &str, keys: Document) -> IndexModel {
    IndexModel::builder().keys(keys).options(IndexOptions::builder().name(name.to_owned()).build()).build()
}

fn with(mut index: IndexModel, change: impl FnOnce(&mut IndexOptions)) -> IndexModel {
    change(index.options.get_or_insert_default());
    index
}

/// Restricts an index to accounts with an e-mail address; a deleted account has none.
fn not_deleted_filter(options: &mut IndexOptions) {
    options.partial_filter_expression = Some(doc! { "email": { "$exists": true } });
}

fn sparse(options: &mut IndexOptions) {
    options.sparse = Some(true);
}

/// Creates the missing indexes; several instances may do so at the same time.
pub(super) async fn create(client: &MongoClient) -> Result<(), StoreError> {
    let users = [
        with(index(EMAIL, doc! { "email": 1 }), |options| {
            options.unique = Some(true);
            not_deleted_filter(options);
        }),
        with(index("users_by_time", doc! { "created_at": -1, "_id": -1 }), not_deleted_filter),
        with(index("users_by_role", doc! { "role": 1, "created_at": -1, "_id": -1 }), not_deleted_filter),
        with(index("users_deleted", doc! { "deleted_at": 1 }), sparse),
        with(index(CLAIMABLE, doc! { "events.claimed_until": 1 }), sparse),
        with(index("users_event", doc! { "events.id": 1 }), sparse),
        with(index(MAILS_DUE, doc! { "mails.due_at": 1 }), sparse),
        with(index("users_mail", doc! { "mails.id": 1 }), sparse),
        with(index("users_revoked", doc! { "revoked.id": 1 }), sparse),
        with(index(HANDLED, doc! { "handled": 1 }), |options| {
            options.unique = Some(true);
            sparse(options);
        }),
    ];
    run_write(client.users.create_indexes(users)).await?;
    let revocations = [
        with(index(FEED_EVENT, doc! { "event": 1 }), |options| options.unique = Some(true)),
        index("revocations_expired", doc! { "expires_at": 1 }),
    ];
    run_write(client.revocations.create_indexes(revocations)).await?;
    let expired = with(index("login_failures_expired", doc! { "expires_at": 1 }), |options| {
        options.expire_after = Some(FAILURE_RETENTION);
    });
    run_write(client.login_failures.create_index(expired)).await?;
    Ok(())
}
