//! Limits of the mails that a request can cause.
//!
//! Counted in the store beside failed logins, for all instances together.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::TimeDelta;
use common::telemetry::clock::SharedClock;
use contracts::UserId;

use super::login_throttle::{hashed, network, throttled};
use crate::error::Error;
use crate::repository::UserRepository;

/// Maximum number of reset links, and of verification links, of one account in a window.
const MAX_PER_ACCOUNT: u32 = 3;
/// Maximum number of requests for a reset link from one network in a window.
const MAX_PER_NETWORK: u32 = 100;
/// Time after the last counted request in which the limit applies.
const WINDOW: TimeDelta = TimeDelta::minutes(15);

/// Throttle of mails. Clones share everything.
#[derive(Clone)]
pub(super) struct MailThrottle {
    repository: Arc<dyn UserRepository>,
    clock: SharedClock,
}

impl MailThrottle {
    pub(super) fn new(repository: Arc<dyn UserRepository>, clock: SharedClock) -> Self {
        Self { repository, clock }
    }

    /// Counts a request for a reset link of the account with a canonical e-mail address, whether or not it exists.
    /// Returns false if the limit of the account or the network is reached.
    pub(super) async fn permit_reset(&self, email: &str, address: IpAddr) -> Result<bool, Error> {
        let network_key = hashed(&format!("reset from {}", network(address)));
        // A rejected request is not counted: nobody extends the limit of another person's account.
        Ok(self.permit(&network_key, MAX_PER_NETWORK).await?.is_none()
            && self.permit(&hashed(&format!("reset of {email}")), MAX_PER_ACCOUNT).await?.is_none())
    }

    /// Counts a request for a verification link of an account.
    ///
    /// # Errors
    /// [`Error::Throttled`] if the limit is reached.
    pub(super) async fn permit_verification(&self, id: UserId) -> Result<(), Error> {
        let wait = self.permit(&hashed(&format!("verification of {id}")), MAX_PER_ACCOUNT).await?;
        wait.map_or(Ok(()), |wait| Err(throttled(wait)))
    }

    /// Counts a request under a key, or returns the time until the limit ends.
    async fn permit(&self, key: &str, max: u32) -> Result<Option<TimeDelta>, Error> {
        let now = self.clock.now();
        let (count, until) = self.repository.login_failures(key, now).await?;
        if count >= max || self.repository.record_login_failure(key, WINDOW, now).await? > max {
            return Ok(Some(if count >= max { until - now } else { WINDOW }));
        }
        Ok(None)
    }
}
