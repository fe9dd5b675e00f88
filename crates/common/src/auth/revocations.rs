//! Withdrawn access: tokens that are refused before they run out.
//!
//! The user service announces a change of role, a deletion, a new password and the end of a session as
//! `user.access_revoked`. Each other service stores what it learns in its own database until the last such token has run
//! out. Each instance holds it in memory, reads what other instances stored every second, and polls the user service's
//! feed beside the bus, so that a revocation takes effect within five seconds although the broker is unavailable.

use std::sync::Arc;

use contracts::topology::Queue;

use super::service_tokens::ServiceTokens;
use crate::client::ServiceClient;
use crate::database::postgres::Postgres;
pub use crate::database::revocations::{ObservedRevocations, RevocationRecord, RevocationStore, RevokedTokens};
use crate::database::sqlite::Sqlite;
use crate::messaging::consumer::Handler;
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
    pub fn handler(&self, queue: Queue) -> Arc<dyn Handler> {
        Arc::new(events::RevocationEvents::new(self.clone(), queue))
    }

    /// Returns the workers that keep the revocations up to date: one reads the store, one polls the user service's feed.
    #[must_use]
    pub fn workers(&self, client: ServiceClient, tokens: ServiceTokens) -> [Arc<dyn Worker>; 2] {
        [Arc::new(reader::Reader::new(self.clone())), Arc::new(feed::Poller::new(self.clone(), client, tokens))]
    }
}

impl Postgres {
    /// Returns the revocations of access in this database.
    #[must_use]
    pub fn revocations(&self, clock: SharedClock) -> Revocations {
        Revocations::new(self.revocation_store(), clock)
    }
}

impl Sqlite {
    /// Returns the revocations of access in this file.
    #[must_use]
    pub fn revocations(&self, clock: SharedClock) -> Revocations {
        Revocations::new(self.revocation_store(), clock)
    }
}
