//! Feed of revocations.
//!
//! A revocation is embedded in the document of its user with the change that causes it, so neither is stored without the
//! other. The next reader moves embedded revocations into the collection of the feed. Positions have no gaps, and an entry
//! is inserted only after the last one, so no reader passes a position that is filled later.

use std::time::Duration;

use chrono::{DateTime, Utc};
use common::database::store::StoreError;
use common::database::transaction_effects::Effects;
use contracts::UserId;
use contracts::api::Revocation;
use futures::TryStreamExt as _;
use mongodb::bson::{self, Bson, Document, deserialize_from_document, doc, serialize_to_bson, serialize_to_document};
use serde::{Deserialize, Serialize};

use super::client::MongoClient;
use super::conversions::{decode_error, encode_error, to_bson_time};
use super::errors::{SERVER_TIMEOUT, run_read, run_write};
use super::indexes::FEED_EVENT;
use crate::repository::revocations_in;

/// Maximum number of users whose revocations are moved at a time.
const MOVE_LIMIT: i64 = 100;
/// Maximum number of attempts to append an entry while other instances append theirs.
const MAX_ATTEMPTS: u32 = 50;
/// Maximum additional wait per attempt, in milliseconds.
const BACKOFF_MS: u64 = 2;

/// Revocation in the document of its user, without a position.
#[derive(Serialize, Deserialize)]
struct EmbeddedRevocation {
    /// Id of the event.
    id: String,
    min_version: Option<i64>,
    session_ids: Vec<String>,
    expires_at: bson::DateTime,
}

/// Revocation in the feed.
#[derive(Serialize, Deserialize)]
struct FeedEntry {
    #[serde(rename = "_id")]
    seq: i64,
    /// Id of the event.
    event: String,
    user_id: String,
    min_version: Option<i64>,
    session_ids: Vec<String>,
    expires_at: bson::DateTime,
}

impl FeedEntry {
    fn into_revocation(self) -> Result<Revocation, StoreError> {
        Ok(Revocation {
            seq: self.seq,
            user_id: self.user_id.parse::<UserId>().map_err(|error| decode_error(&error))?,
            min_version: self.min_version,
            session_ids: Some(self.session_ids).filter(|sessions| !sessions.is_empty()),
        })
    }
}

/// Returns the revocations among the effects as embedded in the document of their user.
pub(super) fn to_embedded(effects: &Effects) -> Result<Vec<Bson>, StoreError> {
    let embedded = revocations_in(effects).map(|(id, expires_at, revoked)| EmbeddedRevocation {
        id: id.to_string(),
        min_version: revoked.min_version,
        session_ids: revoked.session_ids.clone(),
        expires_at: to_bson_time(expires_at),
    });
    embedded.map(|revocation| serialize_to_bson(&revocation).map_err(encode_error)).collect()
}

/// Lists the entries of the feed after a position.
pub(super) async fn list(
    client: &MongoClient,
    after: i64,
    limit: u32,
    now: DateTime<Utc>,
) -> Result<Vec<Revocation>, StoreError> {
    move_embedded(client).await?;
    let after = if after > last_position(client).await? { 0 } else { after };
    let found = client
        .revocations
        .find(doc! { "_id": { "$gt": after }, "expires_at": { "$gt": to_bson_time(now) } })
        .sort(doc! { "_id": 1 })
        .limit(i64::from(limit))
        .max_time(SERVER_TIMEOUT);
    let found: Vec<Document> = run_read(async { found.await?.try_collect().await }).await?;
    let entries = found.into_iter().map(deserialize_from_document::<FeedEntry>);
    entries.map(|entry| entry.map_err(|error| decode_error(&error))?.into_revocation()).collect()
}

/// Removes expired entries; the last one stays, because it determines the next position.
pub(super) async fn purge(client: &MongoClient, now: DateTime<Utc>) -> Result<(), StoreError> {
    move_embedded(client).await?;
    let expired = doc! { "expires_at": { "$lte": to_bson_time(now) }, "_id": { "$lt": last_position(client).await? } };
    run_write(client.revocations.delete_many(expired)).await?;
    Ok(())
}

/// Moves the embedded revocations into the feed. Several instances may do so at the same time: the id of the event is
/// unique in the feed.
async fn move_embedded(client: &MongoClient) -> Result<(), StoreError> {
    loop {
        let found = client
            .users
            .find(doc! { "revoked.id": { "$gt": "" } })
            .projection(doc! { "revoked": 1 })
            .limit(MOVE_LIMIT)
            .max_time(SERVER_TIMEOUT);
        let found: Vec<Document> = run_read(async { found.await?.try_collect().await }).await?;
        if found.is_empty() {
            return Ok(());
        }
        for user in found {
            let id = user.get_str("_id").map_err(|error| decode_error(&error))?.to_owned();
            let mut moved = Vec::new();
            let embedded = user.get_array("revoked").map_err(|error| decode_error(&error))?;
            for revocation in embedded.iter().filter_map(Bson::as_document) {
                let revocation: EmbeddedRevocation =
                    deserialize_from_document(revocation.clone()).map_err(|error| decode_error(&error))?;
                moved.push(revocation.id.clone());
                append(client, &id, revocation).await?;
            }
            let remove = doc! { "$pull": { "revoked": { "id": { "$in": moved } } } };
            run_write(client.users.update_one(doc! { "_id": id }, remove)).await?;
        }
    }
}

/// Appends a revocation to the feed at the next free position.
async fn append(client: &MongoClient, user_id: &str, revocation: EmbeddedRevocation) -> Result<(), StoreError> {
    let mut entry = FeedEntry {
        seq: 0,
        event: revocation.id,
        user_id: user_id.to_owned(),
        min_version: revocation.min_version,
        session_ids: revocation.session_ids,
        expires_at: revocation.expires_at,
    };
    for attempt in 0..MAX_ATTEMPTS {
        entry.seq = last_position(client).await? + 1;
        let inserted =
            run_write(client.revocations.insert_one(serialize_to_document(&entry).map_err(encode_error)?)).await;
        match inserted {
            Err(error) if error.unique() == Some(FEED_EVENT) => return Ok(()),
            // Another instance took the position.
            Err(StoreError::Unique { .. }) => {
                let wait = rand::random_range(0..=u64::from(attempt + 1) * BACKOFF_MS);
                tokio::time::sleep(Duration::from_millis(wait)).await;
            }
            inserted => return inserted.map(drop),
        }
    }
    Err(StoreError::Contended)
}

/// Returns the last position of the feed, 0 for an empty feed.
async fn last_position(client: &MongoClient) -> Result<i64, StoreError> {
    let last = client.revocations.find_one(doc! {}).sort(doc! { "_id": -1 }).projection(doc! { "_id": 1 });
    let last = run_read(last.max_time(SERVER_TIMEOUT)).await?;
    last.map_or(Ok(0), |last| last.get_i64("_id").map_err(|error| decode_error(&error)))
}
