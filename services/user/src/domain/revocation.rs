//! Causes of revoked access.

/// Cause of a revocation, as named by `user.access_revoked`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationReason {
    /// Revocation reason: another role of the account.
    RoleChanged,
    /// Revocation reason: deletion of the account.
    Deleted,
    /// Sign-out of the user, in the session itself or from another one, or by an admin.
    SignedOut,
    /// Revocation reason: password change in another session.
    PasswordChanged,
    /// Revocation reason: password reset by a link.
    PasswordReset,
    /// Revocation reason: e-mail change in another session.
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
