//! Events, handled messages and event counters embedded in the documents of users.

use common::database::outbox::OutboxRow;
use common::database::store::StoreError;
use common::database::transaction_effects::{Effects, InboxRecord};
use contracts::Envelope;
use contracts::event::SCHEMA_VERSION;
use mongodb::bson::{self, Bson, Document, deserialize_from_document, serialize_to_bson};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::conversions::{decode_error, encode_error, from_bson_time, to_bson_time};
use super::{mail_queue, revocations};
use crate::NAME;

/// Unpublished event in the document of its user.
#[derive(Serialize, Deserialize)]
pub(super) struct PendingEvent {
    id: String,
    event_type: String,
    schema_version: u32,
    aggregate_id: String,
    sequence: i64,
    at: bson::DateTime,
    data: String,
    traceparent: Option<String>,
    /// End of the relay's lease; initially the time of the event.
    claimed_until: bson::DateTime,
    /// Id of the latest claim of this outbox event; `None` if it was never claimed.
    #[serde(default)]
    claim: Option<String>,
}

impl PendingEvent {
    pub(super) fn from_document(event: Document) -> Result<Self, StoreError> {
        deserialize_from_document(event).map_err(|error| decode_error(&error))
    }

    pub(super) fn into_row(self) -> Result<OutboxRow, StoreError> {
        let id = self.id.parse();
        Ok(OutboxRow {
            envelope: Envelope {
                id: id.map_err(|_| decode_error(&format!("`{}` is not a valid event id", self.id)))?,
                event_type: self.event_type,
                schema_version: self.schema_version,
                aggregate_id: self.aggregate_id,
                sequence: self.sequence,
                service: NAME.to_owned(),
                timestamp: from_bson_time(self.at)?,
                data: RawValue::from_string(self.data).map_err(|error| decode_error(&error))?,
            },
            traceparent: self.traceparent,
        })
    }
}

/// Handled messages and event counters of a user.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct EmbeddedOutbox {
    /// Ids of handled messages.
    handled: Vec<String>,
    /// Number of events per aggregate.
    sequences: Document,
}

/// Additions of a write to the embedded outbox.
pub(super) struct OutboxAppend {
    pub(super) events: Vec<Bson>,
    /// Changed event counters.
    pub(super) sequences: Document,
    pub(super) handled: Option<String>,
    /// Revocations without a position in the feed.
    pub(super) revoked: Vec<Bson>,
    pub(super) mails: Vec<Bson>,
}

impl EmbeddedOutbox {
    pub(super) fn from_document(document: Document) -> Result<Self, StoreError> {
        deserialize_from_document(document).map_err(|error| decode_error(&error))
    }

    /// Returns the additions of the effects.
    ///
    /// # Errors
    /// [`StoreError::AlreadyHandled`] if the message was handled with this user before.
    pub(super) fn append(&self, effects: &Effects) -> Result<OutboxAppend, StoreError> {
        if effects.idempotency.is_some() {
            return Err(StoreError::Internal("idempotency keys are not supported by this store".into()));
        }
        let handled = effects.inbox.map(handled_message);
        if handled.as_ref().is_some_and(|message| self.handled.contains(message)) {
            return Err(StoreError::AlreadyHandled);
        }
        let (mut events, mut sequences) = (Vec::new(), Document::new());
        for new in &effects.events {
            let aggregate_id = new.event.aggregate_id();
            let last = sequences.get_i64(&aggregate_id).or_else(|_| self.sequences.get_i64(&aggregate_id));
            let sequence = last.unwrap_or(0) + 1;
            sequences.insert(&aggregate_id, sequence);
            let data = new.event.data().map_err(|error| StoreError::Internal(error.into()))?;
            let pending = PendingEvent {
                id: new.id.to_string(),
                event_type: new.event.event_type().as_str().to_owned(),
                schema_version: SCHEMA_VERSION,
                aggregate_id,
                sequence,
                at: to_bson_time(new.at),
                data: data.get().to_owned(),
                traceparent: new.traceparent.clone(),
                claimed_until: to_bson_time(new.at),
                claim: None,
            };
            events.push(serialize_to_bson(&pending).map_err(encode_error)?);
        }
        let (revoked, mails) = (revocations::to_embedded(effects)?, mail_queue::to_embedded(effects)?);
        Ok(OutboxAppend { events, sequences, handled, revoked, mails })
    }
}

/// Returns a handled message as stored. Event ids begin with their time (UUID version 7), so the oldest sort first.
fn handled_message(inbox: InboxRecord) -> String {
    format!("{}/{}", inbox.event_id, inbox.consumer)
}
