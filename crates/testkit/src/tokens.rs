//! Access tokens for tests, signed as the user service would.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::routing::get;
use chrono::TimeDelta;
use common::auth::keys::{Jwks, SigningKey, generate_pem};
use common::auth::{AUDIENCE, Claims, Role, TokenVerifier};
use common::clock::{Clock, SharedClock, SystemClock};
use contracts::{Scope, ScopeSet, UserId};
use tokio::net::TcpListener;

/// The issuer that services take unless they are told another.
pub const ISSUER: &str = "shopfleet";
/// Long enough that no test that moves its clock outlives a token.
const LIFE: TimeDelta = TimeDelta::days(3650);

/// A key of the user service, and tokens signed with it.
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
    /// A new key.
    ///
    /// # Panics
    /// Never: a key that was just made can be read.
    #[must_use]
    pub fn new() -> Self {
        let key = SigningKey::from_pem(&generate_pem()).expect("a key that was just made");
        Self { key: Arc::new(key) }
    }

    /// A person's token.
    #[must_use]
    pub fn user_token(&self, user: UserId, email: &str) -> String {
        self.sign(&person(user, email, Role::User))
    }

    /// The token of an admin, a new one each time.
    #[must_use]
    pub fn admin_token(&self) -> String {
        self.admin_token_of(UserId::generate(SystemClock.now()))
    }

    /// This admin's token.
    #[must_use]
    pub fn admin_token_of(&self, admin: UserId) -> String {
        self.sign(&person(admin, "admin@example.com", Role::Admin))
    }

    /// The token of a service.
    #[must_use]
    pub fn service_token(&self) -> String {
        self.sign(&claims("test-service".to_owned(), Role::Service))
    }

    /// A service token that holds these scopes only.
    #[must_use]
    pub fn service_token_with(&self, scopes: &[Scope]) -> String {
        let mut claims = claims("test-service".to_owned(), Role::Service);
        claims.scope = Some(scopes.iter().copied().collect::<ScopeSet>().to_claim());
        self.sign(&claims)
    }

    /// A token that says this.
    #[must_use]
    pub fn sign(&self, claims: &Claims) -> String {
        self.key.sign(claims)
    }

    /// The key as the user service publishes it.
    #[must_use]
    pub fn jwks(&self) -> Jwks {
        Jwks { keys: vec![self.key.jwk().clone()] }
    }

    /// What verifies these tokens.
    #[must_use]
    pub fn verifier(&self, clock: SharedClock) -> TokenVerifier {
        TokenVerifier::local(&self.jwks(), ISSUER, clock)
    }

    /// Publishes the key on a port of its own, until the test's runtime ends; the answer is the address of the key set.
    ///
    /// # Panics
    /// If no port can be had.
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

fn person(user: UserId, email: &str, role: Role) -> Claims {
    let mut claims = claims(user.to_string(), role);
    claims.user_id = Some(claims.sub.clone());
    claims.sid = Some("test-session".to_owned());
    claims.email = Some(email.to_owned());
    claims
}

/// Claims of a token that is valid from now on, of nobody in particular.
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
        role,
        iat: now.timestamp(),
        exp: (now + LIFE).timestamp(),
        jti: UserId::generate(now).to_string(),
    }
}
