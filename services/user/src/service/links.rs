//! Links in mails: password reset and verification of e-mail addresses.

use std::net::IpAddr;
use std::time::Duration;

use common::database::NewMail;
use contracts::UserId;
use secrecy::SecretString;
use tokio::time::Instant;

use super::account_updater::Changes;
use super::accounts::AccountService;
use super::email::canonical_email;
use super::mails::MailKind;
use crate::domain::{LinkToken, User};
use crate::error::Error;

/// Unit to which the time of a request for a reset link is rounded up.
///
/// A request for an unknown address does less work. Its response must not be faster.
const RESPONSE_UNIT: Duration = Duration::from_millis(250);

impl AccountService {
    /// Queues a mail with a link to reset the password of the account with an e-mail address as typed. Nothing in the
    /// result or its time reveals whether there is such an account, or a limit was reached.
    pub(crate) async fn request_password_reset(&self, typed: &str, address: IpAddr) -> Result<(), Error> {
        let started = Instant::now();
        let outcome = self.queue_password_reset(typed, address).await;
        let units = started.elapsed().as_millis() / RESPONSE_UNIT.as_millis() + 1;
        let time = RESPONSE_UNIT.saturating_mul(u32::try_from(units).unwrap_or(u32::MAX));
        tokio::time::sleep_until(started + time).await;
        outcome
    }

    async fn queue_password_reset(&self, typed: &str, address: IpAddr) -> Result<(), Error> {
        if !self.mail_throttle.permit_reset(&canonical_email(typed), address).await? {
            return Ok(());
        }
        let Some(user) = self.find_by_email(typed).await? else { return Ok(()) };
        let Some(email) = user.profile.as_ref().map(|profile| profile.email.clone()) else { return Ok(()) };
        match self.queue_mail(user.id, |user, now| MailKind::PasswordReset.mail_about(user, &email, now)).await {
            // The account was deleted meanwhile.
            Err(Error::NotFound) => Ok(()),
            queued => queued,
        }
    }

    /// Queues a mail with a link to reset the password of an account.
    pub(crate) async fn send_password_reset(&self, id: UserId) -> Result<(), Error> {
        self.queue_mail(id, |user, now| MailKind::PasswordReset.mail(user, now)).await
    }

    /// Changes a password by the token of a reset link, and ends all sessions of the account.
    pub(crate) async fn reset_password(&self, token: &str, new: SecretString, address: IpAddr) -> Result<(), Error> {
        let token = LinkToken::parse(token).ok_or(Error::InvalidResetToken)?;
        // Checked before the slow hash.
        let stored = self.repository.find(token.user_id).await?.map(|stored| stored.value);
        if !stored.is_some_and(|user| user.accepts_reset(&token, self.clock.now())) {
            return Err(Error::InvalidResetToken);
        }
        let hash = self.passwords.hash(new).await?;
        let rule = |user: &mut User, now| {
            let events = user.reset_password(&token, hash.clone(), now).ok_or(Error::InvalidResetToken)?;
            Ok(Changes { events, mails: vec![MailKind::PasswordChanged.mail_to_present_address(user, now)] })
        };
        match self.updater.update(token.user_id, rule).await {
            Err(Error::NotFound) => Err(Error::InvalidResetToken),
            // The failures of the forgotten password no longer count.
            updated => self.throttle.clear(&updated?, address).await,
        }
    }

    /// Queues a mail with a link to verify the e-mail address of an account, unless it is verified.
    pub(crate) async fn request_verification(&self, id: UserId) -> Result<(), Error> {
        if self.stored(id).await?.is_email_verified() {
            return Ok(());
        }
        self.mail_throttle.permit_verification(id).await?;
        self.queue_mail(id, |user, now| MailKind::EmailVerification.mail(user, now)).await
    }

    /// Verifies an e-mail address by the token of a link.
    pub(crate) async fn verify_email(&self, token: &str) -> Result<(), Error> {
        let token = LinkToken::parse(token).ok_or(Error::InvalidVerificationToken)?;
        let rule = |user: &mut User, now| user.verify_email(&token, now).ok_or(Error::InvalidVerificationToken);
        match self.updater.update(token.user_id, rule).await {
            Err(Error::NotFound) => Err(Error::InvalidVerificationToken),
            updated => updated.map(drop),
        }
    }

    async fn queue_mail(
        &self,
        id: UserId,
        mail: impl Fn(&User, chrono::DateTime<chrono::Utc>) -> NewMail + Send + Sync,
    ) -> Result<(), Error> {
        let rule = |user: &mut User, now| Ok(Changes { events: Vec::new(), mails: vec![mail(user, now)] });
        self.updater.update(id, rule).await.map(drop)
    }
}
