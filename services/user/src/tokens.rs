//! Access tokens: who signs them, for how long, and when one of them no longer counts.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::TimeDelta;
use common::BoxError;
use common::auth::keys::{Jwk, Jwks, SigningKey};
use common::auth::{AUDIENCE, Claims, Role, SessionCheck};
use common::clock::SharedClock;
use contracts::{EventId, UserId};
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
        self.sign(user.id.to_string(), Some(user.id), Some(session), email, user.role, PERSON_LIFE)
    }

    /// A client's token.
    pub(crate) fn service(&self, client_id: &str) -> String {
        self.sign(client_id.to_owned(), None, None, None, Role::Service, SERVICE_LIFE)
    }

    fn sign(
        &self,
        sub: String,
        user_id: Option<UserId>,
        session: Option<Uuid>,
        email: Option<String>,
        role: Role,
        life: TimeDelta,
    ) -> String {
        let now = self.clock.now();
        self.key.sign(&Claims {
            iss: self.issuer.to_string(),
            aud: AUDIENCE.to_owned(),
            sub,
            user_id: user_id.map(|id| id.to_string()),
            sid: session.map(|session| session.to_string()),
            av: None,
            scope: None,
            email,
            role,
            iat: now.timestamp(),
            exp: (now + life).timestamp(),
            jti: EventId::generate(now).to_string(),
        })
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
        Ok(stands && stored.user.profile.is_some() && stored.user.role == claims.role)
    }
}
