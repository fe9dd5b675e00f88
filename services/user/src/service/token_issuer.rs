//! Issues and signs access tokens.

use std::sync::Arc;

use chrono::TimeDelta;
use common::auth::keys::{Jwk, Jwks, SigningKey};
use common::auth::{AUDIENCE, Claims, Role};
use common::telemetry::clock::SharedClock;
use contracts::{EventId, ScopeSet};
use uuid::Uuid;

use crate::domain::User;

/// Lifetime of a user's access token.
pub(super) const ACCESS_TOKEN_TTL: TimeDelta = TimeDelta::minutes(15);
/// Lifetime of a service token.
pub(super) const SERVICE_TOKEN_TTL: TimeDelta = TimeDelta::hours(1);

/// Issuer of access tokens. Clones share the key.
#[derive(Clone)]
pub(crate) struct TokenIssuer {
    key: Arc<SigningKey>,
    jwks: Arc<Jwks>,
    issuer: Arc<str>,
    clock: SharedClock,
}

impl TokenIssuer {
    /// Creates an issuer that signs with `key`; tokens signed with a key of `previous` stay valid.
    pub(crate) fn new(key: Arc<SigningKey>, previous: Vec<Jwk>, issuer: &str, clock: SharedClock) -> Self {
        let keys = std::iter::once(key.jwk().clone()).chain(previous).collect();
        Self { key, jwks: Arc::new(Jwks { keys }), issuer: issuer.into(), clock }
    }

    /// Returns the public keys.
    pub(crate) fn jwks(&self) -> &Jwks {
        &self.jwks
    }

    /// Issues an access token for a session of a user.
    pub(super) fn issue_user_token(&self, user: &User, session: Uuid) -> String {
        let email = user.profile.as_ref().map(|profile| profile.email.clone());
        self.key.sign(&Claims {
            user_id: Some(user.id.to_string()),
            sid: Some(session.to_string()),
            av: Some(user.access_version),
            email,
            ..self.claims(user.id.to_string(), user.role.into(), ACCESS_TOKEN_TTL)
        })
    }

    /// Issues a service token with the scopes of a client.
    pub(super) fn issue_service_token(&self, client_id: &str, scopes: ScopeSet) -> String {
        let claims = self.claims(client_id.to_owned(), Role::Service, SERVICE_TOKEN_TTL);
        self.key.sign(&Claims { scope: Some(scopes.to_claim()), ..claims })
    }

    fn claims(&self, sub: String, role: Role, ttl: TimeDelta) -> Claims {
        let now = self.clock.now();
        Claims {
            iss: self.issuer.to_string(),
            aud: AUDIENCE.to_owned(),
            sub,
            user_id: None,
            sid: None,
            av: None,
            scope: None,
            email: None,
            ev: None,
            role,
            iat: now.timestamp(),
            exp: (now + ttl).timestamp(),
            jti: EventId::generate(now).to_string(),
        }
    }
}
