use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use common::auth::keys::{SigningKey, generate_pem};
use common::auth::{AUDIENCE, Claims, Jwks, Role, TokenVerifier};
use common::clock::{Clock, SystemClock, system};
use common::http::{Health, ops};
use common::outbox::{Outbox, OutboxRow, OutboxStore};
use common::store::StoreError;
use contracts::EventId;
use contracts::calls::OutboxState;
use serde_json::json;

use crate::support::{finished, get, get_with, settings};

/// An outbox in which three events wait, or one that is away.
struct Waiting(bool);

#[async_trait]
impl OutboxStore for Waiting {
    async fn claim(&self, _: u32, _: Duration, _: DateTime<Utc>) -> Result<Vec<OutboxRow>, StoreError> {
        Ok(Vec::new())
    }

    async fn mark_published(&self, _: &[EventId]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn mark_failed(&self, _: &[EventId], _: DateTime<Utc>) -> Result<(), StoreError> {
        Ok(())
    }

    async fn state(&self, _: DateTime<Utc>) -> Result<OutboxState, StoreError> {
        let state = OutboxState { pending: 3, oldest_seconds: 7 };
        if self.0 { Ok(state) } else { Err(StoreError::Unavailable("disk is gone".into())) }
    }

    async fn forget_handled(&self, _: DateTime<Utc>) -> Result<(), StoreError> {
        Ok(())
    }
}

fn token(key: &SigningKey, role: Role, subject: &str) -> String {
    let now = SystemClock.now().timestamp();
    let claims = Claims {
        iss: "shopfleet".to_owned(),
        aud: AUDIENCE.to_owned(),
        sub: subject.to_owned(),
        user_id: None,
        sid: None,
        email: None,
        role,
        iat: now,
        exp: now + 900,
        jti: "1".to_owned(),
    };
    format!("Bearer {}", key.sign(&claims))
}

#[tokio::test]
async fn who_runs_the_fleet_sees_what_waits_to_be_published() {
    let key = SigningKey::from_pem(&generate_pem()).unwrap();
    let verifier = TokenVerifier::local(&Jwks { keys: vec![key.jwk().clone()] }, "shopfleet", system());
    let app = |there| {
        let outbox = Outbox::new(Arc::new(Waiting(there)), Arc::default());
        finished(ops::outbox(outbox, verifier.clone(), system()), &settings(), Health::new())
    };
    let person = contracts::UserId::generate(SystemClock.now()).to_string();
    for (role, subject) in [(Role::Admin, person.as_str()), (Role::Service, "product-service")] {
        let answer = get_with(&app(true), "/ops/outbox", &[("authorization", &token(&key, role, subject))]).await;
        assert_eq!(answer.json(), json!({"pending": 3, "oldest_seconds": 7}));
    }
    let user = token(&key, Role::User, &person);
    get_with(&app(true), "/ops/outbox", &[("authorization", &user)]).await.refused(403, "FORBIDDEN");
    get(&app(true), "/ops/outbox").await.refused(401, "UNAUTHENTICATED");
    let admin = token(&key, Role::Admin, &person);
    get_with(&app(false), "/ops/outbox", &[("authorization", &admin)]).await.refused(503, "SERVICE_UNAVAILABLE");
}
