//! The feed of revocations.
//!
//! A revocation is written into its user's document with the change that causes it, so neither is stored without the
//! other. Whoever reads the feed first moves what waits there into the feed's own collection. Positions have no gaps
//! and an entry is inserted only after the last one, so no reader passes a position that is filled later.

use std::time::Duration;

use chrono::{DateTime, Utc};
use common::effects::Effects;
use common::store::StoreError;
use contracts::UserId;
use contracts::calls::Revocation;
use futures::TryStreamExt as _;
use mongodb::bson::{self, Bson, Document, deserialize_from_document, doc, serialize_to_bson, serialize_to_document};
use serde::{Deserialize, Serialize};

use super::MongoUsers;
use super::answers::{SERVER_LIMIT, read, write};
use super::indexes::FEED_EVENT;
use super::record::{date, unreadable, unwritable};
use crate::store::revocations_in;

/// Maximum number of users whose revocations are moved at a time.
const MOVED: i64 = 100;
/// Maximum number of attempts to append an entry while other instances append theirs.
const TRIES: u32 = 50;
/// Maximum extra wait per attempt, in milliseconds.
const BACKOFF_MS: u64 = 2;

/// A revocation in its user's document, without a position.
#[derive(Serialize, Deserialize)]
struct Pending {
    /// The event's id.
    id: String,
    min_version: Option<i64>,
    session_ids: Vec<String>,
    expires_at: bson::DateTime,
}

/// A revocation in the feed.
#[derive(Serialize, Deserialize)]
struct Entry {
    #[serde(rename = "_id")]
    seq: i64,
    /// The event's id.
    event: String,
    user_id: String,
    min_version: Option<i64>,
    session_ids: Vec<String>,
    expires_at: bson::DateTime,
}

impl Entry {
    fn revocation(self) -> Result<Revocation, StoreError> {
        Ok(Revocation {
            seq: self.seq,
            user_id: self.user_id.parse::<UserId>().map_err(|error| unreadable(&error))?,
            min_version: self.min_version,
            session_ids: Some(self.session_ids).filter(|sessions| !sessions.is_empty()),
        })
    }
}

/// Returns the revocations among the effects as they wait in their user's document.
pub(super) fn pending(effects: &Effects) -> Result<Vec<Bson>, StoreError> {
    let pending = revocations_in(effects).map(|(id, expires_at, revoked)| Pending {
        id: id.to_string(),
        min_version: revoked.min_version,
        session_ids: revoked.session_ids.clone(),
        expires_at: date(expires_at),
    });
    pending.map(|pending| serialize_to_bson(&pending).map_err(unwritable)).collect()
}

/// Lists the feed after a position.
pub(super) async fn list(
    store: &MongoUsers,
    after: i64,
    limit: u32,
    now: DateTime<Utc>,
) -> Result<Vec<Revocation>, StoreError> {
    move_pending(store).await?;
    let after = if after > last(store).await? { 0 } else { after };
    let found = store
        .feed
        .find(doc! { "_id": { "$gt": after }, "expires_at": { "$gt": date(now) } })
        .sort(doc! { "_id": 1 })
        .limit(i64::from(limit))
        .max_time(SERVER_LIMIT);
    let found: Vec<Document> = read(async { found.await?.try_collect().await }).await?;
    let entries = found.into_iter().map(deserialize_from_document::<Entry>);
    entries.map(|entry| entry.map_err(|error| unreadable(&error))?.revocation()).collect()
}

/// Removes entries that expired; the last one stays, since it tells the next position.
pub(super) async fn purge(store: &MongoUsers, now: DateTime<Utc>) -> Result<(), StoreError> {
    move_pending(store).await?;
    let expired = doc! { "expires_at": { "$lte": date(now) }, "_id": { "$lt": last(store).await? } };
    write(store.feed.delete_many(expired)).await?;
    Ok(())
}

/// Moves revocations that wait in users' documents into the feed. Several instances may do so at once: the event's id
/// is unique in the feed.
async fn move_pending(store: &MongoUsers) -> Result<(), StoreError> {
    loop {
        let found = store
            .users
            .find(doc! { "revoked.id": { "$gt": "" } })
            .projection(doc! { "revoked": 1 })
            .limit(MOVED)
            .max_time(SERVER_LIMIT);
        let found: Vec<Document> = read(async { found.await?.try_collect().await }).await?;
        if found.is_empty() {
            return Ok(());
        }
        for user in found {
            let id = user.get_str("_id").map_err(|error| unreadable(&error))?.to_owned();
            let waiting = user.get_array("revoked").map_err(|error| unreadable(&error))?;
            let mut moved = Vec::new();
            for pending in waiting.iter().filter_map(Bson::as_document) {
                let pending: Pending =
                    deserialize_from_document(pending.clone()).map_err(|error| unreadable(&error))?;
                moved.push(pending.id.clone());
                append(store, &id, pending).await?;
            }
            let remove = doc! { "$pull": { "revoked": { "id": { "$in": moved } } } };
            write(store.users.update_one(doc! { "_id": id }, remove)).await?;
        }
    }
}

async fn append(store: &MongoUsers, user_id: &str, pending: Pending) -> Result<(), StoreError> {
    let mut entry = Entry {
        seq: 0,
        event: pending.id,
        user_id: user_id.to_owned(),
        min_version: pending.min_version,
        session_ids: pending.session_ids,
        expires_at: pending.expires_at,
    };
    for tried in 0..TRIES {
        entry.seq = last(store).await? + 1;
        let inserted = write(store.feed.insert_one(serialize_to_document(&entry).map_err(unwritable)?)).await;
        match inserted {
            Err(error) if error.unique() == Some(FEED_EVENT) => return Ok(()),
            // Another instance took the position.
            Err(StoreError::Unique { .. }) => {
                let wait = rand::random_range(0..=u64::from(tried + 1) * BACKOFF_MS);
                tokio::time::sleep(Duration::from_millis(wait)).await;
            }
            inserted => return inserted.map(drop),
        }
    }
    Err(StoreError::LeaseLost)
}

/// Returns the last position of the feed, 0 where it has no entry.
async fn last(store: &MongoUsers) -> Result<i64, StoreError> {
    let last = store.feed.find_one(doc! {}).sort(doc! { "_id": -1 }).projection(doc! { "_id": 1 });
    let last = read(last.max_time(SERVER_LIMIT)).await?;
    last.map_or(Ok(0), |last| last.get_i64("_id").map_err(|error| unreadable(&error)))
}
