//! Causes of revoked access.

/// Cause of a revocation, as named by `user.access_revoked`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationReason {
    /// Another role of the account.
    RoleChanged,
    /// Deletion of the account.
    Deleted,
    /// Sign-out of the user, in the session itself or from another one, or by an admin.
    SignedOut,
    /// Password change in another session.
    PasswordChanged,
    /// Password reset by a link.
    PasswordReset,
    /// E-mail change in another session.
    EmailChanged,
    /// Reuse of a refresh token after its grace period.
    RefreshTokenReused,
    /// Replacement of the oldest session by a newer one.
    TooManySessions,
}

impl RevocationReason {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::RoleChanged => "role_changed",
            Self::Deleted => "deleted",
            Self::SignedOut => "signed_out",
            Self::PasswordChanged => "password_changed",
            Self::PasswordReset => "password_reset",
            Self::EmailChanged => "email_changed",
            Self::RefreshTokenReused => "refresh_token_reused",
            Self::TooManySessions => "too_many_sessions",
        }
    }
}
