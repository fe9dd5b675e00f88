//! Service tokens for clients (RFC 6749, section 4.4).

use std::sync::Arc;

use chrono::TimeDelta;
use contracts::ScopeSet;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::token_issuer::{SERVICE_TOKEN_TTL, TokenIssuer};
use crate::config::Client;

/// Service token of a client.
pub(crate) struct ServiceToken {
    pub(crate) access_token: String,
    pub(crate) expires_in: TimeDelta,
}

/// Registered clients and the issuer of their tokens. Clones share everything.
#[derive(Clone)]
pub(crate) struct ClientCredentials {
    clients: Arc<[Client]>,
    issuer: TokenIssuer,
}

impl ClientCredentials {
    pub(crate) fn new(clients: Vec<Client>, issuer: TokenIssuer) -> Self {
        for client in clients.iter().filter(|client| client.scopes.is_none()) {
            tracing::warn!(
                client.id,
                "CLIENT_CREDENTIALS names no scopes for this client: its tokens hold every scope"
            );
        }
        Self { clients: clients.into(), issuer }
    }

    /// Returns the client with an id and a secret.
    ///
    /// Every client is compared, each in constant time, so that the response time reveals nothing.
    pub(crate) fn authenticate(&self, id: &str, secret: &str) -> Option<&Client> {
        let hash: [u8; 32] = Sha256::digest(secret).into();
        self.clients.iter().fold(None, |found, client| {
            let is_match = bool::from(client.secret_hash.ct_eq(&hash)) && client.id == id;
            if is_match { Some(client) } else { found }
        })
    }

    /// Issues a token with the scopes of a client.
    pub(crate) fn issue_token(&self, client: &Client) -> ServiceToken {
        let scopes = client.scopes.unwrap_or(ScopeSet::ALL);
        ServiceToken {
            access_token: self.issuer.issue_service_token(&client.id, scopes),
            expires_in: SERVICE_TOKEN_TTL,
        }
    }
}
