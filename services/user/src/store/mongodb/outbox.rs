//! The outbox: events inside their users' documents.
//!
//! A relay changes no user's version: it never comes between reading and writing a user, nor is anything of it lost by
//! such a write, which only adds events.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use common::outbox::{OutboxRow, OutboxStore};
use common::store::StoreError;
use contracts::EventId;
use contracts::calls::OutboxState;
use futures::TryStreamExt as _;
use mongodb::bson::{Bson, DateTime as Date, Document, doc};
use mongodb::options::Hint;

use super::MongoUsers;
use super::answers::{SERVER_LIMIT, read, write};
use super::indexes::CLAIMABLE;
use super::record::{Pending, date, time};

/// How often a relay looks again when others took all that it had found.
const TRIES: u32 = 3;

/// The outbox in the documents of users.
pub(super) struct MongoOutbox(pub(super) MongoUsers);

impl MongoOutbox {
    /// Some events that may be claimed: the ids of their users, and their own.
    async fn claimable(&self, n: u32, now: DateTime<Utc>) -> Result<(Vec<Bson>, Vec<String>), StoreError> {
        // By that index they come in the order of their times; a sort would read all that wait, each time.
        let found = self
            .0
            .users
            .find(doc! { "events.claimed_until": { "$lte": date(now) } })
            .hint(Hint::Name(CLAIMABLE.to_owned()))
            .projection(doc! { "events.id": 1, "events.claimed_until": 1 })
            .limit(i64::from(n))
            .max_time(SERVER_LIMIT);
        let found: Vec<Document> = read(async { found.await?.try_collect().await }).await?;
        let (mut users, mut events) = (Vec::new(), Vec::new());
        for user in found {
            let free = user.get_array("events").into_iter().flatten().filter_map(Bson::as_document);
            let free = free.filter(|event| event.get_datetime("claimed_until").is_ok_and(|until| *until <= date(now)));
            let ids = free.filter_map(|event| event.get_str("id").ok().map(str::to_owned));
            events.extend(ids.take((n as usize).saturating_sub(events.len())));
            users.extend(user.get("_id").cloned());
            if events.len() >= n as usize {
                break;
            }
        }
        Ok((users, events))
    }

    /// The events that a claim took, in the order of their times, those of one user in theirs.
    async fn claimed(&self, users: Vec<Bson>, claim: &str) -> Result<Vec<OutboxRow>, StoreError> {
        let found = self.0.users.find(doc! { "_id": { "$in": users } }).projection(doc! { "events": 1 });
        let found: Vec<Document> = read(async { found.max_time(SERVER_LIMIT).await?.try_collect().await }).await?;
        let mut claimed: Vec<(Date, Document)> = Vec::new();
        for user in found {
            let mut latest = Date::MIN;
            let events = user.get_array("events").into_iter().flatten().filter_map(Bson::as_document);
            for event in events {
                latest = latest.max(event.get_datetime("at").copied().unwrap_or(Date::MIN));
                if event.get_str("claim").is_ok_and(|by| by == claim) {
                    claimed.push((latest, event.clone()));
                }
            }
        }
        claimed.sort_by_key(|(latest, _)| *latest);
        // One that cannot be read holds up no other: it comes again when its lease has run out.
        let read = |event: Document| match Pending::read(event.clone()).and_then(Pending::row) {
            Ok(row) => Some(row),
            Err(error) => {
                let (id, error) = (event.get_str("id").unwrap_or_default(), common::chain(&error));
                tracing::error!(id, error, "an event of the outbox cannot be read, it is tried again later");
                None
            }
        };
        Ok(claimed.into_iter().filter_map(|(_, event)| read(event)).collect())
    }
}

fn texts(ids: &[EventId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

#[async_trait]
impl OutboxStore for MongoOutbox {
    async fn claim(&self, n: u32, lease: Duration, now: DateTime<Utc>) -> Result<Vec<OutboxRow>, StoreError> {
        let until = now + TimeDelta::from_std(lease).unwrap_or(TimeDelta::MAX);
        for _ in 0..TRIES {
            let (users, events) = self.claimable(n, now).await?;
            if events.is_empty() {
                break;
            }
            let claim = EventId::generate(now).to_string();
            // Held against the time once more, event by event: what another relay took meanwhile stays its own.
            let free = doc! { "free.id": { "$in": events }, "free.claimed_until": { "$lte": date(now) } };
            // The time comes last: a server that sets one after the other finds what is free both times.
            let take = doc! { "$set": { "events.$[free].claim": &claim, "events.$[free].claimed_until": date(until) } };
            let these = doc! { "_id": { "$in": users.clone() } };
            write(self.0.users.update_many(these, take).array_filters([free])).await?;
            let claimed = self.claimed(users, &claim).await?;
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
        let ids = texts(ids);
        let remove = doc! { "$pull": { "events": { "id": { "$in": &ids } } } };
        write(self.0.users.update_many(doc! { "events.id": { "$in": &ids } }, remove)).await?;
        Ok(())
    }

    async fn mark_failed(&self, ids: &[EventId], retry_at: DateTime<Utc>) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let ids = texts(ids);
        let give_back = doc! { "$set": { "events.$[failed].claimed_until": date(retry_at) } };
        let failed = doc! { "failed.id": { "$in": &ids } };
        let users = self.0.users.update_many(doc! { "events.id": { "$in": &ids } }, give_back);
        write(users.array_filters([failed])).await?;
        Ok(())
    }

    async fn state(&self, now: DateTime<Utc>) -> Result<OutboxState, StoreError> {
        let pipeline = [
            doc! { "$match": { "events.claimed_until": { "$gte": Date::from_millis(0) } } },
            doc! { "$unwind": "$events" },
            doc! { "$group": { "_id": null, "pending": { "$sum": 1 }, "oldest": { "$min": "$events.at" } } },
        ];
        let sums = self.0.users.aggregate(pipeline).max_time(SERVER_LIMIT);
        let sums: Vec<Document> = read(async { sums.await?.try_collect().await }).await?;
        let Some(sum) = sums.first() else { return Ok(OutboxState { pending: 0, oldest_seconds: 0 }) };
        let pending = sum.get("pending").and_then(|sum| sum.as_i32().map(i64::from).or(sum.as_i64())).unwrap_or(0);
        let oldest = sum.get_datetime("oldest").map_err(|error| StoreError::Corrupt(error.to_string()))?;
        Ok(OutboxState {
            pending: u64::try_from(pending).unwrap_or_default(),
            oldest_seconds: u64::try_from((now - time(*oldest)?).num_seconds()).unwrap_or_default(),
        })
    }

    async fn forget_handled(&self, before: DateTime<Utc>) -> Result<(), StoreError> {
        let old = doc! { "$lt": EventId::generate(before).to_string() };
        let found = self.0.users.find_one(doc! { "handled": old.clone() }).projection(doc! { "_id": 1 });
        if read(found.max_time(SERVER_LIMIT)).await?.is_some() {
            let forget = doc! { "$pull": { "handled": old.clone() } };
            write(self.0.users.update_many(doc! { "handled": old }, forget)).await?;
        }
        Ok(())
    }
}
