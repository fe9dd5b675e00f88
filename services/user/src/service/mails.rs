//! Kinds of mails of accounts.

use chrono::{DateTime, Utc};
use common::database::NewMail;
use serde::{Deserialize, Serialize};

use crate::domain::User;

common::mail_kinds! {
    /// Kind of a mail.
    pub(super) enum MailKind {
        /// Welcome after the registration, with a link to verify the address.
        Welcome = "welcome",
        /// Mail kind: link to verify the address.
        EmailVerification = "email_verification",
        /// Mail kind: link to reset the password.
        PasswordReset = "password_reset",
        /// Mail kind: report of a new password.
        PasswordChanged = "password_changed",
        /// Report of a new address to the old one.
        EmailChanged = "email_changed",
    }
}

impl MailKind {
    /// Returns whether the mail is about security, and is sent whatever the recipient's preferences are.
    pub(super) const fn is_about_security(self) -> bool {
        !matches!(self, Self::Welcome)
    }

    /// Creates a mail to the current address of an account.
    pub(super) fn mail(self, user: &User, now: DateTime<Utc>) -> NewMail {
        NewMail::new(now, self.as_str(), &user.id, serde_json::json!({}))
    }

    /// Creates a mail to the address that an account has now, also if it changes before the mail is sent.
    pub(super) fn mail_to_present_address(self, user: &User, now: DateTime<Utc>) -> NewMail {
        let email = user.profile.as_ref().map_or("", |profile| &profile.email);
        self.mail_about(user, email, now)
    }

    /// Creates a mail about a certain address of an account.
    pub(super) fn mail_about(self, user: &User, email: &str, now: DateTime<Utc>) -> NewMail {
        let payload = serde_json::json!(MailPayload { email: Some(email.to_owned()) });
        NewMail::new(now, self.as_str(), &user.id, payload)
    }
}

/// Data of a mail in the queue.
#[derive(Serialize, Deserialize)]
pub(super) struct MailPayload {
    /// Address that the mail is about: the old one, the one at the time of the change, or the one to which a link was
    /// requested.
    #[serde(default)]
    pub(super) email: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_distinct_names() {
        for (kind, name) in MailKind::ALL.iter().copied().zip(MailKind::NAMES) {
            assert_eq!((kind.as_str(), MailKind::parse(name)), (*name, Some(kind)));
        }
        assert_eq!(MailKind::parse("order_shipped"), None);
        let optional: Vec<_> = MailKind::ALL.iter().copied().filter(|kind| !kind.is_about_security()).collect();
        assert_eq!(optional, [MailKind::Welcome]);
    }
}
