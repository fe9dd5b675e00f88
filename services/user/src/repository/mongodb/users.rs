//! Reads and writes of the documents of users.

use common::auth::Role;
use common::database::failpoints;
use common::database::store::StoreError;
use common::database::transaction_effects::Effects;
use contracts::UserId;
use futures::TryStreamExt as _;
use mongodb::bson::{Document, doc};

use super::client::MongoClient;
use super::conversions::decode_error;
use super::document::{from_document, query_filter, to_document, user_projection, version_filter};
use super::embedded_outbox::{EmbeddedOutbox, OutboxAppend};
use super::errors::{SERVER_TIMEOUT, run_read, run_write};
use super::indexes;
use crate::NAME;
use crate::domain::User;
use crate::repository::{SaveOutcome, UserFilter, Versioned};

/// Maximum number of deleted users that one purge removes.
const PURGE_LIMIT: i64 = 1000;

pub(super) async fn insert(client: &MongoClient, user: &User, effects: &Effects) -> Result<SaveOutcome, StoreError> {
    let append = EmbeddedOutbox::default().append(effects)?;
    let mut document = to_document(user, 1)?;
    document.insert("events", append.events);
    document.insert("sequences", append.sequences);
    document.insert("revoked", append.revoked);
    document.insert("mails", append.mails);
    let tombstone = client.deleted_users.find_one(doc! { "_id": user.id.to_string() });
    if run_read(tombstone.max_time(SERVER_TIMEOUT)).await?.is_some() {
        return Ok(SaveOutcome::VersionConflict);
    }
    if let Some(message) = append.handled {
        document.insert("handled", vec![message]);
    }
    failpoints::hit("before-commit", || failpoints::describe_effects(NAME, effects));
    let inserted = run_write(client.users.insert_one(document)).await;
    failpoints::hit("after-commit", || failpoints::describe_effects(NAME, effects));
    match inserted {
        Ok(_) => Ok(saved(client, effects)),
        Err(error) => map_constraint(error),
    }
}

pub(super) async fn find(client: &MongoClient, filter: Document) -> Result<Option<Versioned<User>>, StoreError> {
    let found = client.users.find_one(filter).projection(user_projection()).max_time(SERVER_TIMEOUT);
    run_read(found).await?.map(from_document).transpose()
}

pub(super) async fn list_non_ascii_emails(client: &MongoClient) -> Result<Vec<(UserId, String)>, StoreError> {
    let found = client.users.find(doc! { "email": { "$regex": "[^ -~]" } }).projection(doc! { "email": 1 });
    let found: Vec<Document> = run_read(async { found.max_time(SERVER_TIMEOUT).await?.try_collect().await }).await?;
    let text = |user: &Document, field| user.get_str(field).map(str::to_owned).map_err(|error| decode_error(&error));
    let emails = found.iter().map(|user| {
        let id = text(user, "_id")?.parse().map_err(|error| decode_error(&error))?;
        Ok((id, text(user, "email")?))
    });
    emails.collect()
}

pub(super) async fn save(
    client: &MongoClient,
    user: &Versioned<User>,
    effects: &Effects,
) -> Result<SaveOutcome, StoreError> {
    let Some(append) = outbox_append(client, user, effects).await? else { return Ok(SaveOutcome::VersionConflict) };
    let update = save_update(user, append)?;
    failpoints::hit("before-commit", || failpoints::describe_effects(NAME, effects));
    let updated = run_write(client.users.update_one(version_filter(user), update)).await;
    failpoints::hit("after-commit", || failpoints::describe_effects(NAME, effects));
    match updated {
        Ok(updated) if updated.matched_count == 0 => Ok(SaveOutcome::VersionConflict),
        Ok(_) => Ok(saved(client, effects)),
        Err(error) => map_constraint(error),
    }
}

pub(super) async fn save_unless_last_admin(
    client: &MongoClient,
    user: &Versioned<User>,
    effects: &Effects,
) -> Result<SaveOutcome, StoreError> {
    // The new version of another admin is a guarantee that this admin stays: a concurrent demotion of the guarantor fails
    // with a version conflict, reads it again, and must find another guarantor.
    let guarantor = doc! {
        "role": Role::Admin.as_str(),
        "email": { "$exists": true },
        "_id": { "$ne": user.value.id.to_string() },
    };
    let reserved = client.users.update_one(guarantor, doc! { "$inc": { "version": 1_i64 } });
    if run_write(reserved).await?.matched_count == 0 {
        return Ok(SaveOutcome::LastAdmin);
    }
    save(client, user, effects).await
}

pub(super) async fn list(
    client: &MongoClient,
    filter: &UserFilter,
    limit: u32,
    offset: u64,
) -> Result<(Vec<User>, u64), StoreError> {
    let total = run_read(client.users.count_documents(query_filter(filter)).max_time(SERVER_TIMEOUT)).await?;
    if offset >= total {
        return Ok((Vec::new(), total));
    }
    let page = client
        .users
        .find(query_filter(filter))
        .projection(user_projection())
        .sort(doc! { "created_at": -1, "_id": -1 })
        .skip(offset)
        .limit(i64::from(limit))
        .max_time(SERVER_TIMEOUT);
    let page: Vec<Document> = run_read(async { page.await?.try_collect().await }).await?;
    let users = page.into_iter().map(|document| Ok(from_document(document)?.value));
    Ok((users.collect::<Result<_, StoreError>>()?, total))
}

/// Removes deleted users without unpublished events. A tombstone with the id stays.
pub(super) async fn purge_deleted(client: &MongoClient) -> Result<(), StoreError> {
    let is_purgeable = doc! {
        "deleted_at": { "$exists": true },
        "events.0": { "$exists": false },
        "handled.0": { "$exists": false },
        "revoked.0": { "$exists": false },
        "mails.0": { "$exists": false },
    };
    let found = client.users.find(is_purgeable.clone()).projection(doc! { "_id": 1 }).limit(PURGE_LIMIT);
    let found: Vec<Document> = run_read(async { found.max_time(SERVER_TIMEOUT).await?.try_collect().await }).await?;
    for id in found.iter().filter_map(|user| user.get("_id")) {
        let tombstone = doc! { "_id": id };
        run_write(client.deleted_users.replace_one(tombstone.clone(), tombstone.clone()).upsert(true)).await?;
        let mut user = is_purgeable.clone();
        user.extend(tombstone);
        run_write(client.users.delete_one(user)).await?;
    }
    Ok(())
}

/// Returns the additions of the effects to a user's document, `None` if the version is no longer the one that was read.
async fn outbox_append(
    client: &MongoClient,
    user: &Versioned<User>,
    effects: &Effects,
) -> Result<Option<OutboxAppend>, StoreError> {
    if effects == &Effects::none() {
        return EmbeddedOutbox::default().append(effects).map(Some);
    }
    let embedded = client.users.find_one(version_filter(user)).projection(doc! { "handled": 1, "sequences": 1 });
    let embedded = run_read(embedded.max_time(SERVER_TIMEOUT)).await?.map(EmbeddedOutbox::from_document).transpose()?;
    embedded.map(|embedded| embedded.append(effects)).transpose()
}

/// Returns the update that writes a user and the additions to the embedded outbox.
fn save_update(user: &Versioned<User>, append: OutboxAppend) -> Result<Document, StoreError> {
    let mut set = to_document(&user.value, user.version + 1)?;
    for immutable in ["_id", "created_at"] {
        set.remove(immutable);
    }
    for (aggregate_id, count) in append.sequences {
        set.insert(format!("sequences.{aggregate_id}"), count);
    }
    let mut update = doc! { "$set": set };
    if user.value.profile.is_none() {
        update.insert("$unset", doc! { "email": "" });
    }
    let mut push = Document::new();
    if !append.events.is_empty() {
        push.insert("events", doc! { "$each": append.events });
    }
    if !append.revoked.is_empty() {
        push.insert("revoked", doc! { "$each": append.revoked });
    }
    if !append.mails.is_empty() {
        push.insert("mails", doc! { "$each": append.mails });
    }
    push.extend(append.handled.map(|message| ("handled".to_owned(), message.into())));
    if !push.is_empty() {
        update.insert("$push", push);
    }
    Ok(update)
}

/// Wakes the relay if there are events to publish.
fn saved(client: &MongoClient, effects: &Effects) -> SaveOutcome {
    if !effects.events.is_empty() {
        client.wake.notify_one();
    }
    SaveOutcome::Saved
}

/// Maps a violated unique index to its outcome.
fn map_constraint(error: StoreError) -> Result<SaveOutcome, StoreError> {
    match error.unique() {
        Some(indexes::EMAIL) => Ok(SaveOutcome::EmailTaken),
        Some(indexes::HANDLED) => Err(StoreError::AlreadyHandled),
        _ => Err(error),
    }
}
