//! Authenticated callers.

use contracts::{Actor, ScopeSet, UserId};
use secrecy::{ExposeSecret as _, SecretString};

use super::claims::{Claims, Role};
use crate::client::Bearer;

/// Caller with a valid token.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Subject of the token: the id of a person or a client.
    pub subject: String,
    /// Id of the person, if the caller is one.
    pub user_id: Option<UserId>,
    /// Role of the caller.
    pub role: Role,
    /// E-mail address of the person.
    pub email: Option<String>,
    /// Verification of the person's e-mail address; unknown if the token does not tell.
    pub email_verified: Option<bool>,
    /// Session of the person.
    pub session: Option<String>,
    /// Scopes of a service token; none for a person.
    pub scopes: ScopeSet,
    token: SecretString,
}

impl Caller {
    pub(super) fn new(claims: &Claims, user_id: Option<UserId>, token: SecretString) -> Self {
        Self {
            subject: claims.sub.clone(),
            user_id,
            role: claims.role,
            email: claims.email.clone(),
            email_verified: claims.ev,
            session: claims.sid.clone(),
            scopes: match (claims.role, &claims.scope) {
                (Role::Service, Some(scope)) => ScopeSet::from_claim(scope),
                // Signed by the previous version, which has no scopes; such a token is valid for at most an hour.
                (Role::Service, None) => ScopeSet::ALL,
                (Role::User | Role::Admin, _) => ScopeSet::NONE,
            },
            token,
        }
    }

    /// Returns the text of the caller's token.
    pub(super) fn token(&self) -> &str {
        self.token.expose_secret()
    }

    /// Returns the caller's own token, to pass it on.
    #[must_use]
    pub fn bearer(&self) -> Bearer {
        Bearer::new(self.token.clone())
    }

    /// Returns whether the caller is an admin.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }

    /// Returns whether the caller is a service.
    #[must_use]
    pub fn is_service(&self) -> bool {
        self.role == Role::Service
    }

    /// Returns whether the caller may act for everyone: an admin or a service.
    #[must_use]
    pub fn is_privileged(&self) -> bool {
        self.is_admin() || self.is_service()
    }

    /// Returns whether the caller may act for a person: the person itself, an admin or a service.
    #[must_use]
    pub fn can_act_for(&self, user: UserId) -> bool {
        self.user_id == Some(user) || self.is_privileged()
    }

    /// Returns the caller as the actor of a change.
    #[must_use]
    pub fn actor(&self) -> Actor {
        let id = self.subject.clone();
        match self.role {
            Role::User => Actor::Customer(id),
            Role::Admin => Actor::Admin(id),
            Role::Service => Actor::Service(id),
        }
    }

    /// Returns the key for data per caller: `user:<id>` or `service:<id>`.
    #[must_use]
    pub fn key(&self) -> String {
        let kind = if self.is_service() { "service" } else { "user" };
        format!("{kind}:{}", self.subject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(role: Role, subject: &str) -> Caller {
        let claims = Claims {
            iss: String::new(),
            aud: String::new(),
            sub: subject.to_owned(),
            user_id: None,
            sid: None,
            av: None,
            scope: None,
            email: None,
            ev: None,
            role,
            iat: 0,
            exp: 0,
            jti: String::new(),
        };
        Caller::new(&claims, subject.parse().ok(), "token".to_owned().into())
    }

    #[test]
    fn person_acts_for_itself_and_privileged_callers_for_all() {
        let ids = ["0190163d-8694-739b-aea5-966c26f8ad91", "0190163d-8694-739b-aea5-966c26f8ad92"];
        let [own, other] = ids.map(|id| id.parse::<UserId>().unwrap());
        let person = caller(Role::User, ids[0]);
        assert!(person.can_act_for(own) && !person.can_act_for(other) && !person.is_privileged());
        let trusted = [caller(Role::Admin, ids[0]), caller(Role::Service, "order-service")];
        assert!(trusted.iter().all(|caller| caller.can_act_for(own) && caller.can_act_for(other)));
        assert_eq!(
            trusted.map(|caller| caller.key()),
            [format!("user:{}", ids[0]), "service:order-service".to_owned()]
        );
    }

    #[test]
    fn token_is_not_shown() {
        let caller = caller(Role::Service, "x");
        assert!(!format!("{caller:?} {:?}", caller.bearer()).contains("token\""));
        assert_eq!(caller.bearer().header(), "Bearer token");
    }
}
