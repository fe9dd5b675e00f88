//! Bearer tokens for calls to other services.

use secrecy::{ExposeSecret, SecretString};

/// A token as one service sends it to another: a person's own, passed on, or the service's.
#[derive(Clone)]
pub struct Bearer(SecretString);

impl Bearer {
    /// Of a token.
    #[must_use]
    pub fn new(token: SecretString) -> Self {
        Self(token)
    }

    /// The value of the `Authorization` header.
    #[must_use]
    pub fn header(&self) -> String {
        format!("Bearer {}", self.0.expose_secret())
    }
}

impl std::fmt::Debug for Bearer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bearer(..)")
    }
}
