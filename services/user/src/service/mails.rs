//! Kinds of mails of accounts.

use chrono::{DateTime, Utc};
use common::database::NewMail;
use serde::{Deserialize, Serialize};

use crate::domain::User;

/// Kind of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MailKind {
    /// Welcome after the registration, with a link to verify the address.
    Welcome,
    /// Mail kind: link to verify the address.
    EmailVerification,
    /// Mail kind: link to reset the password.
    PasswordReset,
    /// Mail kind: report of a new password.
    PasswordChanged,
    /// Report of a new address to the old one.
    EmailChanged,
}

/// Names of the kinds in the queue.
pub(super) const KINDS: &[&str] =
    &["welcome", "email_verification", "password_reset", "password_changed", "email_changed"];

impl MailKind {
    const ALL: [Self; 5] =
        [Self::Welcome, Self::EmailVerification, Self::PasswordReset, Self::PasswordChanged, Self::EmailChanged];

    /// Returns the kind of a name.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Returns the name of the kind.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Welcome => KINDS[0],
            Self::EmailVerification => KINDS[1],
            Self::PasswordReset => KINDS[2],
            Self::PasswordChanged => KINDS[3],
            Self::EmailChanged => KINDS[4],
        }
    }

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
        for (kind, name) in MailKind::ALL.into_iter().zip(KINDS) {
            assert_eq!((kind.as_str(), MailKind::parse(name)), (*name, Some(kind)));
        }
        assert_eq!(MailKind::parse("order_shipped"), None);
        let optional: Vec<_> = MailKind::ALL.into_iter().filter(|kind| !kind.is_about_security()).collect();
        assert_eq!(optional, [MailKind::Welcome]);
    }
}
