//! Queue of mails embedded in the documents of users.
//!
//! As with the outbox, a claim leaves the version of a user unchanged, and a write of a user only adds mails.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use common::database::QueuedMail;
use common::database::mail_queue::{MailQueueState, MailQueueStore};
use common::database::store::StoreError;
use common::database::transaction_effects::Effects;
use contracts::ids::uuid_v7;
use futures::TryStreamExt as _;
use mongodb::bson::{self, Bson, DateTime as BsonTime, Document, deserialize_from_document, doc, serialize_to_bson};
use mongodb::options::Hint;
use serde::{Deserialize, Serialize};

use super::client::MongoClient;
use super::conversions::{decode_error, embedded, encode_error, from_bson_time, integer, to_bson_time};
use super::errors::{SERVER_TIMEOUT, run_read, run_write};
use super::indexes::MAILS_DUE;

/// Mail in the document of its user.
#[derive(Clone, Serialize, Deserialize)]
struct EmbeddedMail {
    id: String,
    kind: String,
    recipient: String,
    payload: String,
    created_at: bson::DateTime,
    /// Time of the next attempt; the end of the lease while a worker sends the mail.
    due_at: bson::DateTime,
    attempts: i64,
    /// Id of the latest claim.
    #[serde(default)]
    lease: Option<String>,
}

impl EmbeddedMail {
    fn into_queued(self) -> Result<QueuedMail, StoreError> {
        let id = |text: &str| text.parse().map_err(|error| decode_error(&error));
        Ok(QueuedMail {
            id: id(&self.id)?,
            kind: self.kind,
            recipient: self.recipient,
            payload: self.payload,
            created_at: from_bson_time(self.created_at)?,
            attempts: u32::try_from(self.attempts).unwrap_or(u32::MAX),
            lease: id(self.lease.as_deref().unwrap_or_default())?,
        })
    }
}

/// Returns the mails among the effects as embedded in the document of their user.
pub(super) fn to_embedded(effects: &Effects) -> Result<Vec<Bson>, StoreError> {
    let embedded = effects.mails.iter().map(|mail| EmbeddedMail {
        id: mail.id.to_string(),
        kind: mail.kind.to_owned(),
        recipient: mail.recipient.clone(),
        payload: mail.payload.to_string(),
        created_at: to_bson_time(mail.created_at),
        due_at: to_bson_time(mail.created_at),
        attempts: 0,
        lease: None,
    });
    embedded.map(|mail| serialize_to_bson(&mail).map_err(encode_error)).collect()
}

/// Queue of mails in the documents of users.
pub(super) struct MongoMailQueue(pub(super) MongoClient);

impl MongoMailQueue {
    /// Returns due mails with the ids of their documents.
    async fn find_due(&self, n: u32, now: DateTime<Utc>) -> Result<Vec<(Bson, EmbeddedMail)>, StoreError> {
        let found = self
            .0
            .users
            .find(doc! { "mails.due_at": { "$lte": to_bson_time(now) } })
            .hint(Hint::Name(MAILS_DUE.to_owned()))
            .projection(doc! { "mails": 1 })
            .limit(i64::from(n))
            .max_time(SERVER_TIMEOUT);
        let found: Vec<Document> = run_read(async { found.await?.try_collect().await }).await?;
        let mut due = Vec::new();
        for user in found {
            for mail in embedded(&user, "mails") {
                let mail: EmbeddedMail =
                    deserialize_from_document(mail.clone()).map_err(|error| decode_error(&error))?;
                if mail.due_at <= to_bson_time(now) {
                    due.extend(user.get("_id").map(|id| (id.clone(), mail)));
                }
            }
        }
        due.sort_by_key(|(_, mail)| mail.due_at);
        due.truncate(n as usize);
        Ok(due)
    }

    /// Returns a mail of a document, if this claim holds it.
    async fn find_claimed(&self, user: &Bson, id: &str, lease: &str) -> Result<Option<QueuedMail>, StoreError> {
        let found = self.0.users.find_one(doc! { "_id": user }).projection(doc! { "mails": 1 });
        let Some(found) = run_read(found.max_time(SERVER_TIMEOUT)).await? else { return Ok(None) };
        let is = |mail: &Document, field, value| mail.get_str(field).is_ok_and(|found| found == value);
        let mail = embedded(&found, "mails").find(|mail| is(mail, "id", id) && is(mail, "lease", lease));
        let Some(mail) = mail else { return Ok(None) };
        let mail: EmbeddedMail = deserialize_from_document(mail.clone()).map_err(|error| decode_error(&error))?;
        mail.into_queued().map(Some)
    }
}

#[async_trait]
impl MailQueueStore for MongoMailQueue {
    async fn claim(&self, n: u32, lease: Duration, now: DateTime<Utc>) -> Result<Vec<QueuedMail>, StoreError> {
        let until = to_bson_time(now + TimeDelta::from_std(lease).unwrap_or(TimeDelta::MAX));
        let mut claimed = Vec::new();
        for (user, mail) in self.find_due(n, now).await? {
            let lease = uuid_v7(now).to_string();
            // The time is checked again: a mail claimed by another worker meanwhile keeps its claim. It is set last, so that
            // a server that sets one field after the other matches the mail each time.
            let claim = doc! { "$set": {
                "mails.$[due].attempts": mail.attempts + 1,
                "mails.$[due].lease": &lease,
                "mails.$[due].due_at": until,
            } };
            let due = doc! { "due.id": &mail.id, "due.due_at": { "$lte": to_bson_time(now) } };
            run_write(self.0.users.update_one(doc! { "_id": &user }, claim).array_filters([due])).await?;
            claimed.extend(self.find_claimed(&user, &mail.id, &lease).await?);
        }
        Ok(claimed)
    }

    async fn remove(&self, mail: &QueuedMail) -> Result<(), StoreError> {
        let id = mail.id.to_string();
        let remove = doc! { "$pull": { "mails": { "id": &id, "lease": mail.lease.to_string() } } };
        run_write(self.0.users.update_one(doc! { "mails.id": id }, remove)).await?;
        Ok(())
    }

    async fn postpone(&self, mail: &QueuedMail, due_at: DateTime<Utc>) -> Result<(), StoreError> {
        let id = mail.id.to_string();
        let postpone = doc! { "$set": { "mails.$[held].due_at": to_bson_time(due_at) } };
        let held = doc! { "held.id": &id, "held.lease": mail.lease.to_string() };
        run_write(self.0.users.update_one(doc! { "mails.id": id }, postpone).array_filters([held])).await?;
        Ok(())
    }

    async fn state(&self, now: DateTime<Utc>) -> Result<MailQueueState, StoreError> {
        let pipeline = [
            doc! { "$match": { "mails.due_at": { "$gte": BsonTime::from_millis(0) } } },
            doc! { "$unwind": "$mails" },
            doc! { "$group": { "_id": null, "waiting": { "$sum": 1 }, "oldest": { "$min": "$mails.created_at" } } },
        ];
        let sums = self.0.users.aggregate(pipeline).max_time(SERVER_TIMEOUT);
        let sums: Vec<Document> = run_read(async { sums.await?.try_collect().await }).await?;
        let Some(sum) = sums.first() else { return Ok(MailQueueState::default()) };
        let oldest = sum.get_datetime("oldest").map_err(|error| decode_error(&error))?;
        Ok(MailQueueState::new(integer(sum, "waiting").unwrap_or(0), Some(from_bson_time(*oldest)?), now))
    }
}
