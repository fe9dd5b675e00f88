//! Issues and signs access tokens.

use std::sync::Arc;

use chrono::TimeDelta;
use common::auth::keys::{Jwk, Jwks, SigningKey};
use common::auth::{AUDIENCE, Claims, Role};
use common::telemetry::clock::SharedClock;
use contracts::ScopeSet;
use contracts::ids::uuid_v7;
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
    /// Creates an issuer that signs with `key`; the keys of `others`, which signed before or will sign next, are published
    /// with it.
    pub(crate) fn new(key: Arc<SigningKey>, others: Vec<Jwk>, issuer: &str, clock: SharedClock) -> Self {
        let mut keys = vec![key.jwk().clone()];
        for other in others {
            if keys.iter().all(|known| known.kid != other.kid) {
                keys.push(other);
            }
        }
        Self { key, jwks: Arc::new(Jwks { keys }), issuer: issuer.into(), clock }
    }

    /// Returns the public keys.
    pub(crate) fn jwks(&self) -> &Jwks {
        &self.jwks
    }

    /// Issues an access token for a session of a user.
    pub(super) fn issue_user_token(&self, user: &User, session: Uuid) -> String {
        let profile = user.profile.as_ref();
        self.key.sign(&Claims {
            user_id: Some(user.id.to_string()),
            sid: Some(session.to_string()),
            av: Some(user.access_version),
            email: profile.map(|profile| profile.email.clone()),
            ev: profile.map(|profile| profile.email_verified),
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
            jti: uuid_v7(now).to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use common::auth::keys::generate_pem;
    use common::telemetry::clock::system;

    use super::*;

    #[test]
    fn each_key_is_published_once_beginning_with_the_one_that_signs() {
        let key = || Arc::new(SigningKey::from_pem(&generate_pem()).unwrap());
        let (signing, next) = (key(), key());
        let others = [&next, &signing, &next].map(|key| key.jwk().clone()).to_vec();
        let issuer = TokenIssuer::new(signing.clone(), others, "shopfleet", system());
        let published: Vec<_> = issuer.jwks().keys.iter().map(|key| &key.kid).collect();
        assert_eq!(published, [&signing.jwk().kid, &next.jwk().kid]);
    }
}
