//! Revocation of access tokens before they expire.
//!
//! The user service announces a change of role, a deletion, a new password and the end of a session as
//! `user.access_revoked`. Each other service stores revocations in its own database until the last affected token has
//! expired. Each instance holds them in memory, reads those of other instances every second, and polls the user
//! service's feed in addition to the bus, so a revocation takes effect within five seconds even while the broker is
//! unavailable.

use std::sync::Arc;

use contracts::topology::Queue;

use super::service_tokens::ServiceTokens;
use crate::client::ServiceClient;
use crate::database::Database;
pub use crate::database::revocations::{InstrumentedRevocationStore, RevocationRecord, RevocationStore, RevokedTokens};
use crate::messaging::consumer::EventHandler;
use crate::task::worker::Worker;
use crate::telemetry::clock::SharedClock;

mod events;
mod feed;
mod reader;
mod registry;

pub use registry::{RETENTION, Revocations};

impl Revocations {
    /// Returns the handler of a queue of `user.access_revoked`.
    #[must_use]
    pub fn handler(&self, queue: Queue) -> Arc<dyn EventHandler> {
        Arc::new(events::RevocationEventHandler::new(self.clone(), queue))
    }

    /// Returns the workers that update the revocations: one reads the store, one polls the user service's feed.
    #[must_use]
    pub fn workers(&self, client: ServiceClient, tokens: ServiceTokens) -> [Arc<dyn Worker>; 2] {
        [Arc::new(reader::Reader::new(self.clone())), Arc::new(feed::Poller::new(self.clone(), client, tokens))]
    }
}

impl Database {
    /// Returns the revocations of access.
    #[must_use]
    pub fn revocations(&self, clock: SharedClock) -> Revocations {
        Revocations::new(self.revocation_store(), clock)
    }
}
