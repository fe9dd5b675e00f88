//! Access tokens: who signs them, for how long, and when one of them no longer counts.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::TimeDelta;
use common::BoxError;
use common::auth::keys::{Jwk, Jwks, SigningKey};
use common::auth::{AUDIENCE, Claims, Role, SessionCheck};
use common::clock::SharedClock;
use contracts::{EventId, ScopeSet, UserId};
use uuid::Uuid;

use crate::domain::User;
use crate::store::Users;

/// How long a person's access token lasts.
pub(crate) const PERSON_LIFE: TimeDelta = TimeDelta::minutes(15);
/// How long a service's token lasts.
pub(crate) const SERVICE_LIFE: TimeDelta = TimeDelta::hours(1);

/// Signs access tokens. Clones share the key.
#[derive(Clone)]
pub(crate) struct Tokens {
    key: Arc<SigningKey>,
    jwks: Arc<Jwks>,
    issuer: Arc<str>,
    clock: SharedClock,
}

impl Tokens {
    /// Signs with `key`; tokens signed with one of `previous` still count.
    pub(crate) fn new(key: Arc<SigningKey>, previous: Vec<Jwk>, issuer: &str, clock: SharedClock) -> Self {
        let keys = std::iter::once(key.jwk().clone()).chain(previous).collect();
        Self { key, jwks: Arc::new(Jwks { keys }), issuer: issuer.into(), clock }
    }

    /// The public keys.
    pub(crate) fn jwks(&self) -> &Jwks {
        &self.jwks
    }

    /// A person's token, of this session.
    pub(crate) fn person(&self, user: &User, session: Uuid) -> String {
        let email = user.profile.as_ref().map(|profile| profile.email.clone());
        self.key.sign(&Claims {
            user_id: Some(user.id.to_string()),
            sid: Some(session.to_string()),
            av: Some(user.access_version),
            email,
            ..self.claims(user.id.to_string(), user.role, PERSON_LIFE)
        })
    }

    /// A client's token with these scopes.
    pub(crate) fn service(&self, client_id: &str, scopes: ScopeSet) -> String {
        let claims = self.claims(client_id.to_owned(), Role::Service, SERVICE_LIFE);
        self.key.sign(&Claims { scope: Some(scopes.to_claim()), ..claims })
    }

    fn claims(&self, sub: String, role: Role, life: TimeDelta) -> Claims {
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
            role,
            iat: now.timestamp(),
            exp: (now + life).timestamp(),
            jti: EventId::generate(now).to_string(),
        }
    }
}

/// Knows which sessions have ended: their tokens are refused here at once.
pub(crate) struct Sessions {
    pub(crate) users: Arc<dyn Users>,
    pub(crate) clock: SharedClock,
}

#[async_trait]
impl SessionCheck for Sessions {
    async fn is_active(&self, claims: &Claims) -> Result<bool, BoxError> {
        if claims.role == Role::Service {
            return Ok(true);
        }
        let ids = claims.sub.parse::<UserId>().ok().zip(claims.sid.as_deref().and_then(|sid| sid.parse::<Uuid>().ok()));
        let Some((user, session)) = ids else { return Ok(false) };
        let Some(mut stored) = self.users.find(user).await? else { return Ok(false) };
        let stands = stored.user.session(session, self.clock.now()).is_some();
        let user = stored.user;
        // A token without a version was signed by the version before, when every account was at 0.
        let current = claims.av.unwrap_or(0) >= user.access_version;
        Ok(stands && current && user.profile.is_some() && user.role == claims.role)
    }
}
