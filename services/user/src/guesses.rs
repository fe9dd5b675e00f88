//! Guesses at passwords: counted in the store for all instances together, by account and client network, and by account
//! alone.

use std::net::{IpAddr, Ipv6Addr};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use contracts::UserId;
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};

use crate::domain::User;
use crate::error::Error;
use crate::passwords::{Place, Verdict};
use crate::people::{People, canonical_email};

/// Failures in a row of one account from one network, until the next is turned away.
const MAX_FAILURES: u32 = 10;
/// Failures in a row of one account from all networks together, until each further one delays the next.
const MAX_FAILURES_WITHOUT_DELAY: u32 = 10;
/// Longest delay: an account is never locked.
const MAX_DELAY: TimeDelta = TimeDelta::seconds(60);
/// Time to the next attempt after others took the last ones at the same moment.
const RETRY: TimeDelta = TimeDelta::seconds(1);
/// How long they are remembered.
const WINDOW: TimeDelta = TimeDelta::minutes(15);

/// A guess that may be made: it counts as a failure until it turns out to be right.
pub(crate) struct Guess {
    /// The keys under which it counts.
    keys: Vec<String>,
    place: Place,
}

/// Returns the time from a failure to the next attempt, after so many failures in a row: 1 s, 2 s, 4 s and so on.
fn delay(failures: u32) -> TimeDelta {
    match failures.checked_sub(MAX_FAILURES_WITHOUT_DELAY + 1) {
        None => TimeDelta::zero(),
        Some(doublings) => TimeDelta::seconds(1 << doublings.min(6)).min(MAX_DELAY),
    }
}

/// Returns what is counted as one client: an address, of IPv6 the network that one line gets (RFC 6177, section 2).
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX)).into(),
        address => address,
    }
}

/// Hashed, so that no address of a person is kept beside their account.
fn hashed(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(text))
}

/// Returns the hash of a network from which somebody signed in to an account.
pub(crate) fn known_network(id: UserId, from: IpAddr) -> String {
    hashed(&format!("{id} {}", network(from)))
}

fn throttled(wait: TimeDelta) -> Error {
    Error::Throttled(wait.to_std().unwrap_or_default())
}

impl People {
    /// Lets a guess at the password of the account with this normalised e-mail address pass: `user`, if there is one.
    ///
    /// # Errors
    /// [`Error::Throttled`] after too many failures in a row, from the network or, unless somebody signed in from there
    /// before, from anywhere; [`Error::TooBusy`] if too many are hashed at once.
    pub(crate) async fn guess(&self, email: &str, from: IpAddr, user: Option<&User>) -> Result<Guess, Error> {
        let key = hashed(&format!("{email} {}", network(from)));
        let (failures, until) = self.users.failures(&key, self.now()).await?;
        if failures >= MAX_FAILURES {
            return Err(throttled(until - self.now()));
        }
        let is_known = user.is_some_and(|user| user.known_networks.contains(&known_network(user.id, from)));
        let account = Some(hashed(&format!("account {email}"))).filter(|_| !is_known);
        let mut before = 0;
        if let Some(account) = &account {
            let (failures, until) = self.users.failures(account, self.now()).await?;
            let next = until - WINDOW + delay(failures);
            if next > self.now() {
                return Err(throttled(next - self.now()));
            }
            before = failures;
        }
        // A place first, so that one who is turned away has not failed; then counted before the slow part, so that guesses
        // at the same time do not pass the limit.
        let place = self.passwords.place()?;
        if self.users.count_failure(&key, WINDOW, self.now()).await? > MAX_FAILURES {
            // Guesses that are being judged count too: any of them may turn out to be right.
            return Err(throttled(RETRY));
        }
        if let Some(account) = &account {
            let failures = self.users.count_failure(account, WINDOW, self.now()).await?;
            // Another guess took this turn meanwhile.
            if failures > before.max(MAX_FAILURES_WITHOUT_DELAY) + 1 {
                return Err(throttled(delay(failures)));
            }
        }
        Ok(Guess { keys: std::iter::once(key).chain(account).collect(), place })
    }

    /// Verifies the current password of an account, throttled as a sign-in is: a stolen token allows no more guesses.
    /// Returns the hash that it was verified against.
    ///
    /// # Errors
    /// [`Error::InvalidPassword`] if it is missing or wrong, and those of [`guess`](Self::guess).
    pub(crate) async fn verify_current_password(
        &self,
        id: UserId,
        password: Option<SecretString>,
        from: IpAddr,
    ) -> Result<String, Error> {
        let user = self.users.find(id).await?.ok_or(Error::NotFound)?.user;
        let email = user.profile.as_ref().ok_or(Error::NotFound)?.email.clone();
        let password = password.ok_or(Error::InvalidPassword)?;
        let guess = self.guess(&canonical_email(&email), from, Some(&user)).await?;
        match self.judge(guess, password, Some(user.password_hash.clone())).await? {
            Verdict::Wrong => Err(Error::InvalidPassword),
            Verdict::Right | Verdict::RightButOld => Ok(user.password_hash),
        }
    }

    /// Holds the guess against the account's hash, if there is such an account. A right one ends the row of failures.
    pub(crate) async fn judge(
        &self,
        guess: Guess,
        password: SecretString,
        hash: Option<String>,
    ) -> Result<Verdict, Error> {
        let verdict = self.passwords.verify(guess.place, password, hash).await?;
        if verdict != Verdict::Wrong {
            for key in &guess.keys {
                self.users.forget_failures(key).await?;
            }
        }
        Ok(verdict)
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
    fn ipv6_counts_by_the_network() {
        let same = |one: &str, other: &str| network(one.parse().unwrap()) == network(other.parse().unwrap());
        assert!(same("2001:db8:1:2::1", "2001:db8:1:2:ffff::9") && !same("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert!(same("192.0.2.1", "::ffff:192.0.2.1") && !same("192.0.2.1", "192.0.2.2"));
    }
}
