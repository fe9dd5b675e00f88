//! Extractors of the caller, by role and scope.

use std::marker::PhantomData;

use axum::extract::{FromRef, FromRequestParts};
use contracts::{ErrorCode, Scope, UserId};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;

use super::scope::RequiredScope;
use crate::auth::{Caller, TokenError, TokenVerifier};
use crate::http::ApiError;

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Invalid => Self::invalid_token(),
            TokenError::Unavailable { detail, source } => Self::unavailable(detail, source),
        }
    }
}

impl Caller {
    /// Checks that a service token has `scope`. Persons pass: ownership and role decide about them.
    ///
    /// # Errors
    /// 403 `INSUFFICIENT_SCOPE` if the token lacks the scope.
    pub fn require_scope(&self, scope: Scope) -> Result<(), ApiError> {
        if self.is_service() && !self.scopes.contains(scope) {
            let message = format!("The token lacks the scope {scope}");
            return Err(ApiError::new(ErrorCode::InsufficientScope, message));
        }
        Ok(())
    }

    /// Checks that the person's e-mail address is verified. Unknown counts as unverified.
    ///
    /// # Errors
    /// 403 `EMAIL_NOT_VERIFIED`.
    pub fn require_verified_email(&self) -> Result<(), ApiError> {
        if self.email_verified == Some(true) {
            return Ok(());
        }
        Err(ApiError::new(ErrorCode::EmailNotVerified, "A verified e-mail address is required"))
    }
}

fn forbidden() -> ApiError {
    ApiError::new(ErrorCode::Forbidden, "Access denied")
}

/// Returns the bearer token: `None` without a header, an error for another scheme.
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

/// Caller of a public route: `None` without a token or with an invalid one.
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
            Err(TokenError::Invalid | TokenError::Unavailable { .. }) => Ok(Self(None)),
        }
    }
}

/// Caller of a public route whose effect depends on the caller: `None` without a token. An invalid token is rejected with
/// 401, so that a client whose token expired is not served as a stranger.
#[derive(Clone, Debug)]
pub struct CallerIfAny(pub Option<Caller>);

impl<S> FromRequestParts<S> for CallerIfAny
where
    S: Send + Sync,
    TokenVerifier: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match token(&parts.headers) {
            Some(_) => Ok(Self(Some(Caller::from_request_parts(parts, state).await?))),
            None => Ok(Self(None)),
        }
    }
}

/// Admin; other callers are rejected with 403.
#[derive(Clone, Debug)]
pub struct AdminOnly(pub Caller);

impl<S> FromRequestParts<S> for AdminOnly
where
    S: Send + Sync,
    TokenVerifier: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, state).await?;
        if caller.is_admin() { Ok(Self(caller)) } else { Err(forbidden()) }
    }
}

macro_rules! scoped_extractor {
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

scoped_extractor!(
    /// Person, or a service with the scope; a service without it is rejected with 403.
    UserOr,
    |_| true
);
scoped_extractor!(
    /// Admin, or a service with the scope; other callers are rejected with 403.
    AdminOr,
    Caller::is_privileged
);
scoped_extractor!(
    /// Service with the scope; other callers are rejected with 403.
    ServiceWith,
    Caller::is_service
);

/// Person, user or admin; a service is rejected with 403.
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
