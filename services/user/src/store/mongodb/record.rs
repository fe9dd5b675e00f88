//! Users and their events as documents.

use chrono::{DateTime, Utc};
use common::auth::Role;
use common::effects::{Effects, Handled};
use common::outbox::OutboxRow;
use common::store::StoreError;
use contracts::event::SCHEMA_VERSION;
use contracts::{Envelope, UserId};
use mongodb::bson::{self, Bson, Document, deserialize_from_document, serialize_to_bson, serialize_to_document};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::revocations;
use crate::NAME;
use crate::domain::{Profile, Session, User};
use crate::store::Stored;

/// A time as it is stored: milliseconds.
pub(super) fn date(time: DateTime<Utc>) -> bson::DateTime {
    bson::DateTime::from_millis(time.timestamp_millis())
}

pub(super) fn time(date: bson::DateTime) -> Result<DateTime<Utc>, StoreError> {
    let millis = date.timestamp_millis();
    DateTime::from_timestamp_millis(millis).ok_or_else(|| StoreError::Corrupt(format!("{millis} is no time")))
}

pub(super) fn unreadable(error: &impl ToString) -> StoreError {
    StoreError::Corrupt(error.to_string())
}

pub(super) fn unwritable(error: bson::error::Error) -> StoreError {
    StoreError::Fault(error.into())
}

/// What is kept of a user beside the events, the messages handled, and the counts of events.
#[derive(Serialize, Deserialize)]
struct Record {
    #[serde(rename = "_id")]
    id: String,
    /// None once the user is deleted: the address is free again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    role: Role,
    profile: Option<Profile>,
    password_hash: String,
    sessions: Vec<Session>,
    created_at: bson::DateTime,
    updated_at: bson::DateTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deleted_at: Option<bson::DateTime>,
    #[serde(default)]
    known_networks: Vec<String>,
    /// None in a document that the version before wrote.
    #[serde(default)]
    access_version: i64,
    version: i64,
}

/// A user as a document.
pub(super) fn document(user: &User, version: i64) -> Result<Document, StoreError> {
    let record = Record {
        id: user.id.to_string(),
        email: user.profile.as_ref().map(|profile| profile.email.clone()),
        role: user.role,
        profile: user.profile.clone(),
        password_hash: user.password_hash.clone(),
        sessions: user.sessions.clone(),
        created_at: date(user.created_at),
        updated_at: date(user.updated_at),
        deleted_at: user.profile.is_none().then(|| date(user.updated_at)),
        known_networks: user.known_networks.clone(),
        access_version: user.access_version,
        version,
    };
    serialize_to_document(&record).map_err(unwritable)
}

/// A user from a document.
pub(super) fn stored(document: Document) -> Result<Stored, StoreError> {
    let record: Record = deserialize_from_document(document).map_err(|error| unreadable(&error))?;
    let user = User {
        id: record.id.parse::<UserId>().map_err(|_| StoreError::Corrupt(format!("`{}` is no user id", record.id)))?,
        profile: record.profile,
        role: record.role,
        password_hash: record.password_hash,
        sessions: record.sessions,
        created_at: time(record.created_at)?,
        updated_at: time(record.updated_at)?,
        known_networks: record.known_networks,
        access_version: record.access_version,
    };
    Ok(Stored { user, version: record.version })
}

/// An event that waits in its user's document.
#[derive(Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) id: String,
    event_type: String,
    schema_version: u32,
    aggregate_id: String,
    sequence: i64,
    pub(super) at: bson::DateTime,
    data: String,
    traceparent: Option<String>,
    /// When a relay may take it: at first when it happened.
    pub(super) claimed_until: bson::DateTime,
    /// Which claim took it last.
    #[serde(default)]
    pub(super) claim: Option<String>,
}

impl Pending {
    pub(super) fn read(event: Document) -> Result<Self, StoreError> {
        deserialize_from_document(event).map_err(|error| unreadable(&error))
    }

    /// As the relay wants it.
    pub(super) fn row(self) -> Result<OutboxRow, StoreError> {
        Ok(OutboxRow {
            envelope: Envelope {
                id: self.id.parse().map_err(|_| StoreError::Corrupt(format!("`{}` is no event id", self.id)))?,
                event_type: self.event_type,
                schema_version: self.schema_version,
                aggregate_id: self.aggregate_id,
                sequence: self.sequence,
                service: NAME.to_owned(),
                timestamp: time(self.at)?,
                data: RawValue::from_string(self.data).map_err(|error| unreadable(&error))?,
            },
            traceparent: self.traceparent,
        })
    }
}

/// What a document keeps beside the user.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Beside {
    /// Messages that were handled.
    pub(super) handled: Vec<String>,
    /// How many events there were, by what they are about.
    sequences: Document,
}

/// What a write adds to it.
pub(super) struct Added {
    pub(super) events: Vec<Bson>,
    /// The counts that change.
    pub(super) sequences: Document,
    pub(super) handled: Option<String>,
    /// Revocations that wait for their position in the feed.
    pub(super) revoked: Vec<Bson>,
}

impl Beside {
    pub(super) fn read(document: Document) -> Result<Self, StoreError> {
        deserialize_from_document(document).map_err(|error| unreadable(&error))
    }

    /// What these effects add.
    ///
    /// # Errors
    /// [`StoreError::AlreadyHandled`] if the message was handled with this user before.
    pub(super) fn add(&self, effects: &Effects) -> Result<Added, StoreError> {
        if effects.keyed.is_some() {
            return Err(StoreError::Fault("users are changed without idempotency keys".into()));
        }
        let handled = effects.handled.map(message);
        if handled.as_ref().is_some_and(|message| self.handled.contains(message)) {
            return Err(StoreError::AlreadyHandled);
        }
        let (mut events, mut sequences) = (Vec::new(), Document::new());
        for new in &effects.events {
            let aggregate_id = new.event.aggregate_id();
            let last = sequences.get_i64(&aggregate_id).or_else(|_| self.sequences.get_i64(&aggregate_id));
            let sequence = last.unwrap_or(0) + 1;
            sequences.insert(&aggregate_id, sequence);
            let data = new.event.data().map_err(|error| StoreError::Fault(error.into()))?;
            let pending = Pending {
                id: new.id.to_string(),
                event_type: new.event.event_type().as_str().to_owned(),
                schema_version: SCHEMA_VERSION,
                aggregate_id,
                sequence,
                at: date(new.at),
                data: data.get().to_owned(),
                traceparent: new.traceparent.clone(),
                claimed_until: date(new.at),
                claim: None,
            };
            events.push(serialize_to_bson(&pending).map_err(unwritable)?);
        }
        Ok(Added { events, sequences, handled, revoked: revocations::pending(effects)? })
    }
}

/// A message as it is remembered: event ids begin with their time (UUID version 7), so the oldest sort first.
fn message(handled: Handled) -> String {
    format!("{}/{}", handled.event_id, handled.consumer)
}
