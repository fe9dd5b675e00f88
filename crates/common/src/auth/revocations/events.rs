//! Revocations from the bus.

use async_trait::async_trait;
use contracts::topology::Queue;
use contracts::{Envelope, Event};

use super::registry::Revocations;
use crate::database::revocations::RevocationRecord;
use crate::database::transaction_effects::InboxRecord;
use crate::messaging::consumer::{EventHandler, HandleError};

/// Handler of `user.access_revoked`. Recording is idempotent, so no inbox record is written.
pub(super) struct RevocationEventHandler {
    revocations: Revocations,
    queue: Queue,
}

impl RevocationEventHandler {
    pub(super) const fn new(revocations: Revocations, queue: Queue) -> Self {
        Self { revocations, queue }
    }
}

#[async_trait]
impl EventHandler for RevocationEventHandler {
    fn queue(&self) -> Queue {
        self.queue
    }

    async fn handle(&self, event: Event, _inbox: InboxRecord, _envelope: &Envelope) -> Result<(), HandleError> {
        let Event::UserAccessRevoked(revoked) = event else { return Ok(()) };
        let now = self.revocations.now();
        let records = RevocationRecord::of(revoked.user_id, revoked.min_version, &revoked.session_ids, now);
        Ok(self.revocations.record(records).await?)
    }
}
