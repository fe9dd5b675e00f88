//! Who calls, as a handler asks for it.

use std::marker::PhantomData;

use axum::extract::{FromRef, FromRequestParts};
use contracts::{ErrorCode, Scope, ScopeSet, UserId};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use secrecy::SecretString;

use super::verifier::Refusal;
use super::{Bearer, Claims, Role, TokenVerifier};
use crate::http::ApiError;

/// Somebody who sent a valid token.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Whom the token stands for: a person's id, or a client's.
    pub subject: String,
    /// The person, if it is one.
    pub user_id: Option<UserId>,
    /// What the caller may do.
    pub role: Role,
    /// The person's e-mail address.
    pub email: Option<String>,
    /// The person's session.
    pub session: Option<String>,
    /// The scopes of a service token; none for a person.
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
            session: claims.sid.clone(),
            scopes: match (claims.role, &claims.scope) {
                (Role::Service, Some(scope)) => ScopeSet::from_claim(scope),
                // Signed by the version before, which knew no scopes; such a token lasts an hour at the most.
                (Role::Service, None) => ScopeSet::ALL,
                (Role::User | Role::Admin, _) => ScopeSet::NONE,
            },
            token,
        }
    }

    /// The caller's own token, to be passed on.
    #[must_use]
    pub fn bearer(&self) -> Bearer {
        Bearer::new(self.token.clone())
    }

    /// Whether it is somebody who runs the shop.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }

    /// Whether it is a service of the fleet.
    #[must_use]
    pub fn is_service(&self) -> bool {
        self.role == Role::Service
    }

    /// Requires that a service token holds `scope`. Persons pass: ownership and role decide about them.
    ///
    /// # Errors
    /// 403 `INSUFFICIENT_SCOPE` if it does not.
    pub fn require_scope(&self, scope: Scope) -> Result<(), ApiError> {
        if self.is_service() && !self.scopes.contains(scope) {
            let message = format!("The token lacks the scope {scope}");
            return Err(ApiError::new(ErrorCode::InsufficientScope, message));
        }
        Ok(())
    }

    /// Whether it may act for anybody: an admin or a service.
    #[must_use]
    pub fn acts_for_all(&self) -> bool {
        self.is_admin() || self.is_service()
    }

    /// Whether it may act for this person: the person itself, an admin or a service.
    #[must_use]
    pub fn may_act_for(&self, user: UserId) -> bool {
        self.user_id == Some(user) || self.acts_for_all()
    }

    /// What is kept per caller is kept under this: `user:<id>` or `service:<id>`.
    #[must_use]
    pub fn key(&self) -> String {
        let kind = if self.is_service() { "service" } else { "user" };
        format!("{kind}:{}", self.subject)
    }
}

fn forbidden() -> ApiError {
    ApiError::new(ErrorCode::Forbidden, "The caller may not do this")
}

/// The token that was sent: `None` if there is none, an error if the header has another form.
fn token(headers: &HeaderMap) -> Option<Result<&str, ApiError>> {
    let header = headers.get(AUTHORIZATION)?;
    let token = header.to_str().ok().and_then(|text| text.split_once(' '));
    let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
    Some(token.filter(|token| !token.is_empty()).ok_or_else(ApiError::invalid_token))
}

impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    TokenVerifier: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let token = token(&parts.headers).ok_or_else(ApiError::unauthenticated)??;
        Ok(TokenVerifier::from_ref(state).verify(token).await?)
    }
}

/// Whoever calls a public route: `None` without a token, and with one that does not count.
#[derive(Clone, Debug)]
pub struct OptionalCaller(pub Option<Caller>);

impl<S> FromRequestParts<S> for OptionalCaller
where
    S: Send + Sync,
    TokenVerifier: FromRef<S>,
{
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let Some(Ok(token)) = token(&parts.headers) else { return Ok(Self(None)) };
        match TokenVerifier::from_ref(state).verify(token).await {
            Ok(caller) => Ok(Self(Some(caller))),
            Err(Refusal::Invalid | Refusal::Unknown(_)) => Ok(Self(None)),
        }
    }
}

macro_rules! allowed {
    ($(#[$doc:meta])* $name:ident, $may:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name(pub Caller);

        impl<S> FromRequestParts<S> for $name
        where
            S: Send + Sync,
            TokenVerifier: FromRef<S>,
        {
            type Rejection = ApiError;

            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
                let caller = Caller::from_request_parts(parts, state).await?;
                let may: fn(&Caller) -> bool = $may;
                if may(&caller) { Ok(Self(caller)) } else { Err(forbidden()) }
            }
        }
    };
}

allowed!(
    /// An admin; anybody else is refused with 403.
    AdminOnly,
    Caller::is_admin
);
allowed!(
    /// A service of the fleet; anybody else is refused with 403.
    ServiceOnly,
    Caller::is_service
);
allowed!(
    /// An admin or a service; anybody else is refused with 403.
    AdminOrService,
    Caller::acts_for_all
);

/// Names the scope that an extractor requires of a service token.
pub trait RequiredScope: Send + Sync + 'static {
    /// The scope.
    const SCOPE: Scope;
}

macro_rules! required_scopes {
    ($($name:ident),*) => {
        /// Types that name a scope in an extractor, such as `Scoped<scope::OrdersRead>`.
        pub mod scope {
            use contracts::Scope;

            $(
                #[doc = concat!("Requires [`Scope::", stringify!($name), "`].")]
                #[derive(Clone, Copy, Debug)]
                pub struct $name;

                impl super::RequiredScope for $name {
                    const SCOPE: Scope = Scope::$name;
                }
            )*
        }
    };
}

required_scopes!(
    UsersRead,
    OrdersRead,
    OrdersPlace,
    OrdersManage,
    OrdersAbandon,
    ProductsReserve,
    ProductsStock,
    PaymentsRead,
    PaymentsCreate,
    PaymentsConfirm,
    PaymentsRefund,
    OpsRead
);

macro_rules! scoped {
    ($(#[$doc:meta])* $name:ident, $may:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name<S>(pub Caller, PhantomData<S>);

        impl<S, R> FromRequestParts<S> for $name<R>
        where
            S: Send + Sync,
            TokenVerifier: FromRef<S>,
            R: RequiredScope,
        {
            type Rejection = ApiError;

            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
                let caller = Caller::from_request_parts(parts, state).await?;
                let may: fn(&Caller) -> bool = $may;
                if !may(&caller) {
                    return Err(forbidden());
                }
                caller.require_scope(R::SCOPE)?;
                Ok(Self(caller, PhantomData))
            }
        }

        impl<S> $name<S> {
            /// Returns the caller.
            #[must_use]
            pub fn into_inner(self) -> Caller {
                self.0
            }
        }
    };
}

scoped!(
    /// Any person, or a service with the scope; a service without it is rejected with 403.
    Scoped,
    |_| true
);
scoped!(
    /// An admin, or a service with the scope; anybody else is rejected with 403.
    AdminOr,
    Caller::acts_for_all
);
scoped!(
    /// A service with the scope; anybody else is rejected with 403.
    ServiceWith,
    Caller::is_service
);

/// A person, user or admin; a service is refused with 403.
#[derive(Clone, Debug)]
pub struct SignedInUser(pub Caller, pub UserId);

impl<S> FromRequestParts<S> for SignedInUser
where
    S: Send + Sync,
    TokenVerifier: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let user_id = caller.user_id.ok_or_else(forbidden)?;
        Ok(Self(caller, user_id))
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
            role,
            iat: 0,
            exp: 0,
            jti: String::new(),
        };
        Caller::new(&claims, subject.parse().ok(), "token".to_owned().into())
    }

    #[test]
    fn a_person_acts_for_itself_and_those_who_are_trusted_for_all() {
        let ids = ["0190163d-8694-739b-aea5-966c26f8ad91", "0190163d-8694-739b-aea5-966c26f8ad92"];
        let [own, other] = ids.map(|id| id.parse::<UserId>().unwrap());
        let person = caller(Role::User, ids[0]);
        assert!(person.may_act_for(own) && !person.may_act_for(other) && !person.acts_for_all());
        let trusted = [caller(Role::Admin, ids[0]), caller(Role::Service, "order-service")];
        assert!(trusted.iter().all(|caller| caller.may_act_for(own) && caller.may_act_for(other)));
        assert_eq!(
            trusted.map(|caller| caller.key()),
            [format!("user:{}", ids[0]), "service:order-service".to_owned()]
        );
    }

    #[test]
    fn a_token_is_not_shown() {
        let caller = caller(Role::Service, "x");
        assert!(!format!("{caller:?} {:?}", caller.bearer()).contains("token\""));
        assert_eq!(caller.bearer().header(), "Bearer token");
    }
}
