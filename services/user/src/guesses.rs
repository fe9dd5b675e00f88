//! Guesses at passwords: counted by account and client address in the store, for all instances together.

use std::net::IpAddr;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use contracts::UserId;
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};

use crate::error::Error;
use crate::passwords::{Place, Verdict};
use crate::people::People;

/// Failures in a row of one account from one address, until the next is turned away.
const MAX_FAILURES: u32 = 10;
/// How long they are remembered.
const WINDOW: TimeDelta = TimeDelta::minutes(15);

/// A guess that may be made: it counts as a failure until it turns out to be right.
pub(crate) struct Guess {
    key: String,
    place: Place,
}

impl People {
    /// Lets a guess at the password of the account with this e-mail address pass.
    ///
    /// # Errors
    /// [`Error::Throttled`] after too many failures in a row, [`Error::TooBusy`] if too many are hashed at once.
    pub(crate) async fn guess(&self, email: &str, from: IpAddr) -> Result<Guess, Error> {
        // Hashed, so that no address of a person is kept beside their account.
        let key = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{email} {from}")));
        let (failures, until) = self.users.failures(&key, self.now()).await?;
        if failures >= MAX_FAILURES {
            return Err(Error::Throttled((until - self.now()).to_std().unwrap_or_default()));
        }
        // A place first, so that one who is turned away has not failed; then counted before the slow part, so that guesses
        // at the same time do not pass the limit.
        let place = self.passwords.place()?;
        if self.users.count_failure(&key, WINDOW, self.now()).await? > MAX_FAILURES {
            return Err(Error::Throttled(WINDOW.to_std().unwrap_or_default()));
        }
        Ok(Guess { key, place })
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
        let email = user.profile.ok_or(Error::NotFound)?.email;
        let password = password.ok_or(Error::InvalidPassword)?;
        let guess = self.guess(&email, from).await?;
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
            self.users.forget_failures(&guess.key).await?;
        }
        Ok(verdict)
    }
}
