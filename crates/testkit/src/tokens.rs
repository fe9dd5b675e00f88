//! Access tokens for tests, signed like those of the user service.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::routing::get;
use chrono::TimeDelta;
use common::auth::keys::{Jwks, SigningKey, generate_pem};
use common::auth::{AUDIENCE, Claims, Role, TokenVerifier};
use common::telemetry::clock::{Clock, SharedClock, SystemClock};
use contracts::{Scope, ScopeSet, UserId};
use tokio::net::TcpListener;

/// Default issuer.
pub const ISSUER: &str = "shopfleet";
/// Lifetime of tokens, longer than any test advances its clock.
const LIFETIME: TimeDelta = TimeDelta::days(3650);

/// Signing key of the user service.
#[derive(Clone)]
pub struct TestKeys {
    key: Arc<SigningKey>,
}

impl Default for TestKeys {
    fn default() -> Self {
        Self::new()
    }
}

impl TestKeys {
    /// Creates a random key.
    ///
    /// # Panics
    /// Never: a generated key is valid.
    #[must_use]
    pub fn new() -> Self {
        let key = SigningKey::from_pem(&generate_pem()).expect("a generated key");
        Self { key: Arc::new(key) }
    }

    /// Creates a token of a user.
    #[must_use]
    pub fn user_token(&self, user: UserId, email: &str) -> String {
        self.sign(&user_claims(user, email, Role::User))
    }

    /// Creates a token of a new admin.
    #[must_use]
    pub fn admin_token(&self) -> String {
        self.admin_token_of(UserId::generate(SystemClock.now()))
    }

    /// Creates a token of this admin.
    #[must_use]
    pub fn admin_token_of(&self, admin: UserId) -> String {
        self.sign(&user_claims(admin, "admin@example.com", Role::Admin))
    }

    /// Creates a token of a service.
    #[must_use]
    pub fn service_token(&self) -> String {
        self.sign(&claims("test-service".to_owned(), Role::Service))
    }

    /// Creates a service token with these scopes only.
    #[must_use]
    pub fn service_token_with(&self, scopes: &[Scope]) -> String {
        let mut claims = claims("test-service".to_owned(), Role::Service);
        claims.scope = Some(scopes.iter().copied().collect::<ScopeSet>().to_claim());
        self.sign(&claims)
    }

    /// Creates a token with these claims.
    #[must_use]
    pub fn sign(&self, claims: &Claims) -> String {
        self.key.sign(claims)
    }

    /// Returns the key set as the user service publishes it.
    #[must_use]
    pub fn jwks(&self) -> Jwks {
        Jwks { keys: vec![self.key.jwk().clone()] }
    }

    /// Returns a verifier of these tokens.
    #[must_use]
    pub fn verifier(&self, clock: SharedClock) -> TokenVerifier {
        TokenVerifier::local(&self.jwks(), ISSUER, clock)
    }

    /// Publishes the key set on a free port until the test's runtime ends, and returns its address.
    ///
    /// # Panics
    /// If no port is free.
    pub async fn jwks_server(&self) -> String {
        let jwks = self.jwks();
        let publish = move || std::future::ready(Json(jwks.clone()));
        let app = Router::new().route("/.well-known/jwks.json", get(publish));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(axum::serve(listener, app).into_future());
        format!("http://{address}/.well-known/jwks.json")
    }
}

fn user_claims(user: UserId, email: &str, role: Role) -> Claims {
    let mut claims = claims(user.to_string(), role);
    claims.user_id = Some(claims.sub.clone());
    claims.sid = Some("test-session".to_owned());
    claims.email = Some(email.to_owned());
    claims
}

/// Creates claims of a token that is valid from now on.
#[must_use]
pub fn claims(subject: String, role: Role) -> Claims {
    let now = SystemClock.now();
    Claims {
        iss: ISSUER.to_owned(),
        aud: AUDIENCE.to_owned(),
        sub: subject,
        user_id: None,
        sid: None,
        av: None,
        scope: None,
        email: None,
        ev: None,
        role,
        iat: now.timestamp(),
        exp: (now + LIFETIME).timestamp(),
        jti: UserId::generate(now).to_string(),
    }
}
