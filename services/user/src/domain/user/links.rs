//! Rules of the links in mails: password reset and verification of the e-mail address.

use chrono::{DateTime, Utc};
use contracts::Event;

use super::User;
use crate::domain::{LinkToken, RESET_TTL, RevocationReason, StoredLink, VERIFICATION_TTL};

impl User {
    /// Replaces the link to reset the password.
    pub fn issue_reset_link(&mut self, token: &LinkToken, now: DateTime<Utc>) {
        self.reset_link = Some(StoredLink::new(token, RESET_TTL, now));
    }

    /// Returns whether a token is the one of the link to reset the password.
    #[must_use]
    pub fn accepts_reset(&self, token: &LinkToken, now: DateTime<Utc>) -> bool {
        self.reset_link.as_ref().is_some_and(|link| link.matches(token, now))
    }

    /// Changes the password by a link, which is used up, and ends all sessions; `None` if the token is not the one of the
    /// link.
    pub fn reset_password(&mut self, token: &LinkToken, hash: String, now: DateTime<Utc>) -> Option<Vec<Event>> {
        if !self.accepts_reset(token, now) {
            return None;
        }
        self.reset_link = None;
        self.password_hash = hash;
        self.access_version += 1;
        let mut events = vec![self.mark_updated(&["password"], now)];
        let ended = self.remove_sessions(|_| true);
        events.extend(self.revocation(Some(self.access_version), &ended, RevocationReason::PasswordReset));
        Some(events)
    }

    /// Returns whether the e-mail address is verified.
    #[must_use]
    pub fn is_email_verified(&self) -> bool {
        self.profile.as_ref().is_some_and(|profile| profile.email_verified)
    }

    /// Replaces the link to verify the e-mail address.
    pub fn issue_verification_link(&mut self, token: &LinkToken, now: DateTime<Utc>) {
        self.verification_link = Some(StoredLink::new(token, VERIFICATION_TTL, now));
    }

    /// Verifies the e-mail address by a link, which is used up; `None` if the token is not the one of the link.
    pub fn verify_email(&mut self, token: &LinkToken, now: DateTime<Utc>) -> Option<Vec<Event>> {
        let profile = self.profile.as_mut()?;
        self.verification_link.take_if(|link| link.matches(token, now))?;
        profile.email_verified = true;
        Some(vec![self.mark_updated(&["emailVerified"], now)])
    }
}
