//! Failed logins, counted by the server for all instances together.

use chrono::{DateTime, TimeDelta, Utc};
use common::database::store::StoreError;
use mongodb::bson::{Document, doc};
use mongodb::options::ReturnDocument;

use super::client::MongoClient;
use super::conversions::{decode_error, from_bson_time, integer, to_bson_time};
use super::errors::{SERVER_TIMEOUT, run_read, run_write};

/// Maximum number of attempts to count a failure while others insert or remove the document.
const MAX_ATTEMPTS: u32 = 5;

pub(super) async fn find(
    client: &MongoClient,
    key: &str,
    now: DateTime<Utc>,
) -> Result<(u32, DateTime<Utc>), StoreError> {
    let filter = doc! { "_id": key, "expires_at": { "$gt": to_bson_time(now) } };
    let found = run_read(client.login_failures.find_one(filter).max_time(SERVER_TIMEOUT)).await?;
    let Some(found) = found else { return Ok((0, now)) };
    let until = found.get_datetime("expires_at").map_err(|error| decode_error(&error))?;
    Ok((count(&found)?, from_bson_time(*until)?))
}

pub(super) async fn record(
    client: &MongoClient,
    key: &str,
    window: TimeDelta,
    now: DateTime<Utc>,
) -> Result<u32, StoreError> {
    let incremented = doc! { "$add": ["$failures", 1] };
    let is_current = doc! { "$gt": ["$expires_at", to_bson_time(now)] };
    let update = vec![doc! { "$set": {
        "failures": { "$cond": [is_current, incremented, 1] },
        "expires_at": to_bson_time(now + window),
    } }];
    for _ in 0..MAX_ATTEMPTS {
        let counted = client.login_failures.find_one_and_update(doc! { "_id": key }, update.clone());
        let counted = counted.return_document(ReturnDocument::After).max_time(SERVER_TIMEOUT);
        if let Some(counted) = run_write(counted).await? {
            return count(&counted);
        }
        let first = doc! { "_id": key, "failures": 1, "expires_at": to_bson_time(now + window) };
        match run_write(client.login_failures.insert_one(first)).await {
            Ok(_) => return Ok(1),
            // Another instance inserted the document meanwhile.
            Err(StoreError::Unique { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::Contended)
}

pub(super) async fn clear(client: &MongoClient, key: &str) -> Result<(), StoreError> {
    run_write(client.login_failures.delete_one(doc! { "_id": key })).await?;
    Ok(())
}

fn count(document: &Document) -> Result<u32, StoreError> {
    let failures = integer(document, "failures").and_then(|count| u32::try_from(count).ok());
    failures.ok_or_else(|| decode_error(&"login failures without a count"))
}
