//! Renders the mails of accounts, and makes the tokens of their links.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use common::database::{QueuedMail, failpoints};
use common::mail::{Body, MailContent, MailRenderer, Mailbox, PublicUrl, RenderError};
use contracts::UserId;
use secrecy::ExposeSecret as _;

use super::account_updater::Changes;
use super::accounts::AccountService;
use super::mails::{MailKind, MailPayload};
use crate::domain::{LinkToken, Profile, User};
use crate::error::Error;

/// Page of the shop with the form for a new password.
const RESET_PATH: &str = "/password/reset";
/// Page of the shop that verifies an address.
const VERIFICATION_PATH: &str = "/email/verify";

/// Renderer of the mails of accounts.
pub(crate) struct AccountMailRenderer {
    pub(crate) accounts: AccountService,
    pub(crate) public_url: PublicUrl,
    /// True where reviews need a verified address: the link to verify it is no mere notification then.
    pub(crate) require_verified_email: bool,
}

/// Maps an error of the store or of unreadable data.
fn failed(error: impl Into<common::BoxError>) -> RenderError {
    RenderError::Failed(error.into())
}

impl AccountMailRenderer {
    /// Makes a token for a link and commits its hash by `rule`, which returns false if the link is no longer to be sent.
    /// Returns the account as committed with the link.
    async fn issue_link(
        &self,
        kind: MailKind,
        id: UserId,
        rule: impl Fn(&mut User, &LinkToken, DateTime<Utc>) -> bool + Send + Sync,
    ) -> Result<Option<(User, LinkToken)>, RenderError> {
        let token = LinkToken::generate(id);
        failpoints::hit("before-token", || kind.as_str().to_owned());
        let mut is_issued = false;
        let updated = self.accounts.updater.update(id, |user, now| {
            is_issued = rule(user, &token, now);
            Ok(Changes::default())
        });
        let user = match updated.await {
            Ok(user) => user,
            Err(Error::NotFound) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        failpoints::hit("after-token", || kind.as_str().to_owned());
        Ok(is_issued.then_some((user, token)))
    }

    async fn verification(&self, kind: MailKind, id: UserId) -> Result<Option<MailContent>, RenderError> {
        let issued = self.issue_link(kind, id, |user, token, now| {
            let is_needed = !user.is_email_verified();
            if is_needed {
                user.issue_verification_link(token, now);
            }
            is_needed
        });
        let Some((user, token)) = issued.await? else { return Ok(None) };
        let Some(profile) = &user.profile else { return Ok(None) };
        let link = self.public_url.link(VERIFICATION_PATH, &[("token", token.text().expose_secret())]);
        let (subject, reason) = match kind {
            MailKind::Welcome => ("Welcome", "Your account was created. Please verify your e-mail address."),
            _ => ("Verify your e-mail address", "Please verify the e-mail address of your account."),
        };
        let body = greeting(profile)
            .paragraph(reason)
            .link("Verify your e-mail address", &link)
            .paragraph("The link is valid for 7 days. If you did not register, ignore this mail.");
        Ok(Some(MailContent::new(recipient(&profile.email, profile)?, subject, body)))
    }

    async fn reset(&self, id: UserId, requested_to: Option<String>) -> Result<Option<MailContent>, RenderError> {
        let issued = self.issue_link(MailKind::PasswordReset, id, |user, token, now| {
            let email = user.profile.as_ref().map(|profile| &profile.email);
            // The link was requested to an address that the account no longer has.
            let is_current = requested_to.is_none() || requested_to.as_ref() == email;
            if is_current {
                user.issue_reset_link(token, now);
            }
            is_current
        });
        let Some((user, token)) = issued.await? else { return Ok(None) };
        let Some(profile) = &user.profile else { return Ok(None) };
        let link = self.public_url.link(RESET_PATH, &[("token", token.text().expose_secret())]);
        let body = greeting(profile)
            .paragraph("A new password was requested for your account.")
            .link("Choose a new password", &link)
            .paragraph(
                "The link is valid for 30 minutes and can be used once. If you did not request it, ignore this mail.",
            );
        Ok(Some(MailContent::new(recipient(&profile.email, profile)?, "Reset your password", body)))
    }
}

#[async_trait]
impl MailRenderer for AccountMailRenderer {
    fn kinds(&self) -> &'static [&'static str] {
        MailKind::NAMES
    }

    async fn render(&self, mail: &QueuedMail, _now: DateTime<Utc>) -> Result<Option<MailContent>, RenderError> {
        let kind = MailKind::parse(&mail.kind).ok_or(RenderError::UnknownKind)?;
        let id: UserId = mail.recipient.parse().map_err(failed)?;
        let payload: MailPayload = mail.data().map_err(failed)?;
        let stored = self.accounts.repository.find(id).await.map_err(failed)?;
        let Some(profile) = stored.and_then(|stored| stored.value.profile) else { return Ok(None) };
        let is_wanted = kind.is_about_security() || profile.preferences.notifications || self.require_verified_email;
        if !is_wanted {
            return Ok(None);
        }
        match kind {
            MailKind::Welcome | MailKind::EmailVerification => self.verification(kind, id).await,
            MailKind::PasswordReset => self.reset(id, payload.email).await,
            MailKind::PasswordChanged => {
                let body = greeting(&profile)
                    .paragraph("The password of your account was changed. All other sessions have ended.")
                    .link("This was not me: choose a new password", &self.public_url.link("/password/forgot", &[]));
                let to = recipient(payload.email.as_ref().unwrap_or(&profile.email), &profile)?;
                Ok(Some(MailContent::new(to, "Your password was changed", body)))
            }
            MailKind::EmailChanged => {
                let Some(old) = payload.email else { return Ok(None) };
                let body = greeting(&profile)
                    .paragraph("The e-mail address of your account was changed. Mails no longer come to this address.")
                    .paragraph("If this was not you, please contact the shop.");
                Ok(Some(MailContent::new(recipient(&old, &profile)?, "Your e-mail address was changed", body)))
            }
        }
    }
}

fn greeting(profile: &Profile) -> Body {
    Body::new().paragraph(format!("Hello {},", profile.first_name))
}

fn recipient(email: &str, profile: &Profile) -> Result<Mailbox, RenderError> {
    let name = format!("{} {}", profile.first_name, profile.last_name);
    Ok(Mailbox::new(email).map_err(failed)?.with_name(&name))
}
