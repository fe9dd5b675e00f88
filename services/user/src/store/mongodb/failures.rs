//! Logins that failed, counted by the server: several instances count together.

use chrono::{DateTime, TimeDelta, Utc};
use common::store::StoreError;
use mongodb::bson::{Document, doc};
use mongodb::options::ReturnDocument;

use super::MongoUsers;
use super::answers::{SERVER_LIMIT, read, write};
use super::record::{date, time};

/// How often a count is tried again when others begin or forget the row meanwhile.
const TRIES: u32 = 5;

pub(super) async fn failures(
    store: &MongoUsers,
    key: &str,
    now: DateTime<Utc>,
) -> Result<(u32, DateTime<Utc>), StoreError> {
    let found = store.failures.find_one(doc! { "_id": key, "expires_at": { "$gt": date(now) } });
    let Some(found) = read(found.max_time(SERVER_LIMIT)).await? else { return Ok((0, now)) };
    let until = found.get_datetime("expires_at").map_err(|error| StoreError::Corrupt(error.to_string()))?;
    Ok((count(&found)?, time(*until)?))
}

pub(super) async fn count_failure(
    store: &MongoUsers,
    key: &str,
    window: TimeDelta,
    now: DateTime<Utc>,
) -> Result<u32, StoreError> {
    let one_more = doc! { "$add": ["$failures", 1] };
    let counts = doc! { "$gt": ["$expires_at", date(now)] };
    let update = vec![doc! { "$set": {
        "failures": { "$cond": [counts, one_more, 1] },
        "expires_at": date(now + window),
    } }];
    for _ in 0..TRIES {
        let counted = store.failures.find_one_and_update(doc! { "_id": key }, update.clone());
        let counted = counted.return_document(ReturnDocument::After).max_time(SERVER_LIMIT);
        if let Some(counted) = write(counted).await? {
            return count(&counted);
        }
        let first = doc! { "_id": key, "failures": 1, "expires_at": date(now + window) };
        match write(store.failures.insert_one(first)).await {
            Ok(_) => return Ok(1),
            // Another was the first one meanwhile.
            Err(StoreError::Unique { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::LeaseLost)
}

fn count(document: &Document) -> Result<u32, StoreError> {
    let failures = document.get("failures");
    let failures = failures.and_then(|count| count.as_i32().map(i64::from).or(count.as_i64()));
    let failures = failures.and_then(|count| u32::try_from(count).ok());
    failures.ok_or_else(|| StoreError::Corrupt("failures without a count".to_owned()))
}
