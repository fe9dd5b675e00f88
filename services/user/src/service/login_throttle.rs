//! Throttling of password attempts.
//!
//! Failures are counted in the store, for all instances together: per account and client network, and per account.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use common::task::Backoff;
use common::telemetry::clock::SharedClock;
use contracts::UserId;
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};

use super::email::canonical_email;
use super::passwords::{PasswordCheck, Passwords, QueuePermit};
use crate::domain::User;
use crate::error::Error;
use crate::repository::UserRepository;

/// Maximum number of consecutive failures of one account from one network.
const MAX_FAILURES: u32 = 10;
/// Maximum number of consecutive failures of one account from all networks before further failures cause a delay.
const MAX_FAILURES_WITHOUT_DELAY: u32 = 10;
/// Delays: an account is never locked.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
/// Delay of an attempt that lost the last places to concurrent attempts.
const CONTENTION_DELAY: TimeDelta = TimeDelta::seconds(1);
/// Time after which failures expire.
const WINDOW: TimeDelta = TimeDelta::minutes(15);

/// Permitted password attempt. It counts as a failure until it is verified.
pub(super) struct LoginAttempt {
    /// Keys under which the attempt is counted.
    keys: Vec<String>,
    permit: QueuePermit,
}

/// Returns the delay before the next attempt after consecutive failures: 1 s, 2 s, 4 s and so on.
fn delay(failures: u32) -> TimeDelta {
    let pause = BACKOFF.pause(failures.saturating_sub(MAX_FAILURES_WITHOUT_DELAY));
    TimeDelta::from_std(pause).unwrap_or(TimeDelta::MAX)
}

/// Returns the network that counts as one client: an IPv4 address, or the IPv6 network of one line (RFC 6177, section 2).
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX)).into(),
        address => address,
    }
}

/// Returns the hash of a text, so that no address of a person is stored beside the account.
pub(super) fn hashed(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(text))
}

/// Returns the hash of a network from which a user signed in.
pub(super) fn known_network(id: UserId, address: IpAddr) -> String {
    hashed(&format!("{id} {}", network(address)))
}

pub(super) fn throttled(wait: TimeDelta) -> Error {
    Error::Throttled(wait.to_std().unwrap_or_default())
}

/// Throttle of password attempts. Clones share everything.
#[derive(Clone)]
pub(super) struct LoginThrottle {
    repository: Arc<dyn UserRepository>,
    passwords: Passwords,
    clock: SharedClock,
}

impl LoginThrottle {
    pub(super) fn new(repository: Arc<dyn UserRepository>, passwords: Passwords, clock: SharedClock) -> Self {
        Self { repository, passwords, clock }
    }

    /// Begins an attempt at the password of the account with a canonical e-mail address; `user` is the account, if one
    /// exists.
    ///
    /// # Errors
    /// [`Error::Throttled`] after too many consecutive failures from the network or, for a network without a previous
    /// sign-in, from anywhere; [`Error::Overloaded`] if the password queue is full.
    pub(super) async fn begin_attempt(
        &self,
        email: &str,
        address: IpAddr,
        user: Option<&User>,
    ) -> Result<LoginAttempt, Error> {
        let network_key = hashed(&format!("{email} {}", network(address)));
        let now = self.clock.now();
        let (failures, until) = self.repository.login_failures(&network_key, now).await?;
        if failures >= MAX_FAILURES {
            return Err(throttled(until - self.clock.now()));
        }
        let is_known = user.is_some_and(|user| user.known_networks.contains(&known_network(user.id, address)));
        let account_key = Some(hashed(&format!("account {email}"))).filter(|_| !is_known);
        let mut account_failures = 0;
        if let Some(key) = &account_key {
            let (failures, until) = self.repository.login_failures(key, self.clock.now()).await?;
            let next = until - WINDOW + delay(failures);
            if next > self.clock.now() {
                return Err(throttled(next - self.clock.now()));
            }
            account_failures = failures;
        }
        // The permit comes first, so that an attempt rejected for a full queue is not counted. The attempt is counted
        // before the slow hash, so that concurrent attempts cannot exceed the limit.
        let permit = self.passwords.try_acquire()?;
        if self.repository.record_login_failure(&network_key, WINDOW, self.clock.now()).await? > MAX_FAILURES {
            // Attempts in progress count too. The delay is short, because any of them may succeed.
            return Err(throttled(CONTENTION_DELAY));
        }
        if let Some(key) = &account_key {
            let failures = self.repository.record_login_failure(key, WINDOW, self.clock.now()).await?;
            // A concurrent attempt took the place of this one.
            if failures > account_failures.max(MAX_FAILURES_WITHOUT_DELAY) + 1 {
                return Err(throttled(delay(failures)));
            }
        }
        Ok(LoginAttempt { keys: std::iter::once(network_key).chain(account_key).collect(), permit })
    }

    /// Verifies an attempt against the account's hash, if the account exists. A valid password clears the failures.
    pub(super) async fn verify_attempt(
        &self,
        attempt: LoginAttempt,
        password: SecretString,
        hash: Option<String>,
    ) -> Result<PasswordCheck, Error> {
        let check = self.passwords.verify(attempt.permit, password, hash).await?;
        if check != PasswordCheck::Invalid {
            for key in &attempt.keys {
                self.repository.clear_login_failures(key).await?;
            }
        }
        Ok(check)
    }

    /// Removes the failures of an account and a network, once another proof was given.
    pub(super) async fn clear(&self, user: &User, address: IpAddr) -> Result<(), Error> {
        let email = canonical_email(&user.profile.as_ref().ok_or(Error::NotFound)?.email);
        for key in [format!("{email} {}", network(address)), format!("account {email}")] {
            self.repository.clear_login_failures(&hashed(&key)).await?;
        }
        Ok(())
    }

    /// Verifies the current password of a user and returns its stored hash. The throttle is the one of sign-ins, so that
    /// a stolen token permits no additional attempts.
    ///
    /// # Errors
    /// [`Error::InvalidPassword`] if the password is missing or wrong, and those of
    /// [`begin_attempt`](Self::begin_attempt).
    pub(super) async fn verify_current_password(
        &self,
        user: User,
        password: Option<SecretString>,
        address: IpAddr,
    ) -> Result<String, Error> {
        let email = canonical_email(&user.profile.as_ref().ok_or(Error::NotFound)?.email);
        let password = password.ok_or(Error::InvalidPassword)?;
        let attempt = self.begin_attempt(&email, address, Some(&user)).await?;
        match self.verify_attempt(attempt, password, Some(user.password_hash.clone())).await? {
            PasswordCheck::Invalid => Err(Error::InvalidPassword),
            PasswordCheck::Valid | PasswordCheck::ValidNeedsRehash => Ok(user.password_hash),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delay_doubles_up_to_a_minute() {
        let delays = [0, 10, 11, 12, 13, 16, 17, 1000, u32::MAX].map(|failures| delay(failures).num_seconds());
        assert_eq!(delays, [0, 0, 1, 2, 4, 32, 60, 60, 60]);
    }

    #[test]
    fn ipv6_addresses_of_one_network_count_as_one() {
        let same = |one: &str, other: &str| network(one.parse().unwrap()) == network(other.parse().unwrap());
        assert!(same("2001:db8:1:2::1", "2001:db8:1:2:ffff::9") && !same("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert!(same("192.0.2.1", "::ffff:192.0.2.1") && !same("192.0.2.1", "192.0.2.2"));
    }
}
