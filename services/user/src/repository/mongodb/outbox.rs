//! Outbox of events embedded in the documents of users.
//!
//! The relay leaves the version of a user unchanged, so a claim never causes a version conflict. A write of a user only
//! adds events, so it never overwrites a claim.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use common::database::outbox::{OutboxRow, OutboxStore};
use common::database::store::StoreError;
use contracts::EventId;
use contracts::api::OutboxState;
use contracts::ids::uuid_v7;
use futures::TryStreamExt as _;
use mongodb::bson::{Bson, DateTime as BsonTime, Document, doc};
use mongodb::options::Hint;

use super::client::MongoClient;
use super::conversions::{decode_error, embedded, from_bson_time, integer, to_bson_time};
use super::embedded_outbox::PendingEvent;
use super::errors::{SERVER_TIMEOUT, run_read, run_write};
use super::indexes::CLAIMABLE;

/// Maximum number of claims when other relays claim all events that were found.
const MAX_ATTEMPTS: u32 = 3;

/// Outbox in the documents of users.
pub(super) struct MongoOutbox(pub(super) MongoClient);

impl MongoOutbox {
    /// Returns the ids of claimable events and of their users.
    async fn find_claimable(&self, n: u32, now: DateTime<Utc>) -> Result<(Vec<Bson>, Vec<String>), StoreError> {
        // The index returns them in the order of their times; a sort would read all unpublished events each time.
        let found = self
            .0
            .users
            .find(doc! { "events.claimed_until": { "$lte": to_bson_time(now) } })
            .hint(Hint::Name(CLAIMABLE.to_owned()))
            .projection(doc! { "events.id": 1, "events.claimed_until": 1 })
            .limit(i64::from(n))
            .max_time(SERVER_TIMEOUT);
        let found: Vec<Document> = run_read(async { found.await?.try_collect().await }).await?;
        let (mut users, mut events) = (Vec::new(), Vec::new());
        for user in found {
            let free = embedded(&user, "events");
            let free =
                free.filter(|event| event.get_datetime("claimed_until").is_ok_and(|until| *until <= to_bson_time(now)));
            let ids = free.filter_map(|event| event.get_str("id").ok().map(str::to_owned));
            events.extend(ids.take((n as usize).saturating_sub(events.len())));
            users.extend(user.get("_id").cloned());
            if events.len() >= n as usize {
                break;
            }
        }
        Ok((users, events))
    }

    /// Returns the events of a claim in the order of their times; the events of one user stay in their own order.
    async fn find_claimed(&self, users: Vec<Bson>, claim: &str) -> Result<Vec<OutboxRow>, StoreError> {
        let found = self.0.users.find(doc! { "_id": { "$in": users } }).projection(doc! { "events": 1 });
        let found: Vec<Document> =
            run_read(async { found.max_time(SERVER_TIMEOUT).await?.try_collect().await }).await?;
        let mut claimed: Vec<(BsonTime, Document)> = Vec::new();
        for user in found {
            let mut latest = BsonTime::MIN;
            for event in embedded(&user, "events") {
                latest = latest.max(event.get_datetime("at").copied().unwrap_or(BsonTime::MIN));
                if event.get_str("claim").is_ok_and(|by| by == claim) {
                    claimed.push((latest, event.clone()));
                }
            }
        }
        claimed.sort_by_key(|(latest, _)| *latest);
        // An unreadable event does not block the others; it is claimed again when its lease has expired.
        let decode = |event: Document| match PendingEvent::from_document(event.clone()).and_then(PendingEvent::into_row)
        {
            Ok(row) => Some(row),
            Err(error) => {
                let (id, error) = (event.get_str("id").unwrap_or_default(), common::error_chain(&error));
                tracing::error!(event.id = id, error, "outbox event not readable, retried later");
                None
            }
        };
        Ok(claimed.into_iter().filter_map(|(_, event)| decode(event)).collect())
    }
}

fn to_texts(ids: &[EventId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

#[async_trait]
impl OutboxStore for MongoOutbox {
    async fn claim(&self, n: u32, lease: Duration, now: DateTime<Utc>) -> Result<Vec<OutboxRow>, StoreError> {
        let until = now + TimeDelta::from_std(lease).unwrap_or(TimeDelta::MAX);
        for _ in 0..MAX_ATTEMPTS {
            let (users, events) = self.find_claimable(n, now).await?;
            if events.is_empty() {
                break;
            }
            let claim = uuid_v7(now).to_string();
            // The lease of each event is checked again: an event claimed by another relay meanwhile keeps its claim.
            let free = doc! { "free.id": { "$in": events }, "free.claimed_until": { "$lte": to_bson_time(now) } };
            // The end of the lease is set last, so that a server that sets one field after the other matches the event twice.
            let claimed = doc! { "$set": { "events.$[free].claim": &claim, "events.$[free].claimed_until": to_bson_time(until) } };
            let filter = doc! { "_id": { "$in": users.clone() } };
            run_write(self.0.users.update_many(filter, claimed).array_filters([free])).await?;
            let claimed = self.find_claimed(users, &claim).await?;
            if !claimed.is_empty() {
                return Ok(claimed);
            }
        }
        Ok(Vec::new())
    }

    async fn mark_published(&self, ids: &[EventId]) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let ids = to_texts(ids);
        let remove = doc! { "$pull": { "events": { "id": { "$in": &ids } } } };
        run_write(self.0.users.update_many(doc! { "events.id": { "$in": &ids } }, remove)).await?;
        Ok(())
    }

    async fn mark_failed(&self, ids: &[EventId], retry_at: DateTime<Utc>) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let ids = to_texts(ids);
        let release = doc! { "$set": { "events.$[failed].claimed_until": to_bson_time(retry_at) } };
        let failed = doc! { "failed.id": { "$in": &ids } };
        let users = self.0.users.update_many(doc! { "events.id": { "$in": &ids } }, release);
        run_write(users.array_filters([failed])).await?;
        Ok(())
    }

    async fn state(&self, now: DateTime<Utc>) -> Result<OutboxState, StoreError> {
        let pipeline = [
            doc! { "$match": { "events.claimed_until": { "$gte": BsonTime::from_millis(0) } } },
            doc! { "$unwind": "$events" },
            doc! { "$group": { "_id": null, "pending": { "$sum": 1 }, "oldest": { "$min": "$events.at" } } },
        ];
        let sums = self.0.users.aggregate(pipeline).max_time(SERVER_TIMEOUT);
        let sums: Vec<Document> = run_read(async { sums.await?.try_collect().await }).await?;
        let Some(sum) = sums.first() else { return Ok(OutboxState { pending: 0, oldest_seconds: 0 }) };
        let pending = integer(sum, "pending").unwrap_or(0);
        let oldest = sum.get_datetime("oldest").map_err(|error| decode_error(&error))?;
        Ok(OutboxState {
            pending: u64::try_from(pending).unwrap_or_default(),
            oldest_seconds: u64::try_from((now - from_bson_time(*oldest)?).num_seconds()).unwrap_or_default(),
        })
    }

    async fn forget_handled(&self, before: DateTime<Utc>) -> Result<(), StoreError> {
        let old = doc! { "$lt": EventId::generate(before).to_string() };
        let found = self.0.users.find_one(doc! { "handled": old.clone() }).projection(doc! { "_id": 1 });
        if run_read(found.max_time(SERVER_TIMEOUT)).await?.is_some() {
            let pull = doc! { "$pull": { "handled": old.clone() } };
            run_write(self.0.users.update_many(doc! { "handled": old }, pull)).await?;
        }
        Ok(())
    }
}
