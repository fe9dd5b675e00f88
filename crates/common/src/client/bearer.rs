//! Bearer tokens for calls to other services.

use secrecy::{ExposeSecret, SecretString};

/// Bearer token of a call: the caller's own token or the service's.
#[derive(Clone)]
pub struct Bearer(SecretString);

impl Bearer {
    /// Creates a bearer token.
    #[must_use]
    pub fn new(token: SecretString) -> Self {
        Self(token)
    }

    /// Returns the value of the `Authorization` header.
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
