//! Clients that may request a service token.

use contracts::{Scope, ScopeSet};
use sha2::{Digest as _, Sha256};

/// Example value of `CLIENT_CREDENTIALS`.
pub(super) const EXAMPLE: &str = "order-service:a-long-random-text:users:read+products:reserve";

/// Client that may request a service token; only the hash of its secret is stored.
#[derive(Clone)]
pub struct Client {
    /// Id of the client.
    pub id: String,
    /// SHA-256 hash of the secret.
    pub secret_hash: [u8; 32],
    /// Scopes of the tokens; `None` stands for every scope.
    pub scopes: Option<ScopeSet>,
}

impl Client {
    /// Parses `id:secret[:scope+scope]`. The error never shows a possible part of the secret.
    pub(super) fn parse(entry: &str) -> Result<Self, String> {
        let (id, rest) = entry.trim().split_once(':').unwrap_or_default();
        let (secret, scopes) = rest.split_once(':').map_or((rest, None), |(secret, scopes)| (secret, Some(scopes)));
        if id.is_empty() || secret.is_empty() {
            return Err(format!(
                "must be id:secret or id:secret:scope+scope, comma-separated; for example CLIENT_CREDENTIALS={EXAMPLE}"
            ));
        }
        let scopes = scopes.map(|scopes| scopes.split('+').map(|scope| scope.trim().parse::<Scope>()).collect());
        let scopes = scopes.transpose().map_err(|_| {
            let known = Scope::ALL.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ");
            format!(
                "names an unknown scope for the client `{id}` (a secret must not contain `:`); known scopes: {known}"
            )
        })?;
        Ok(Self { id: id.to_owned(), secret_hash: Sha256::digest(secret).into(), scopes })
    }
}
