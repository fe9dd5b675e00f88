//! Tokens whose right was withdrawn. The user service is a stub on a free port, the store a SQLite file.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{FromRef, Query};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chrono::TimeDelta;
use common::auth::keys::{SigningKey, generate_pem};
use common::auth::revocations::RETENTION;
use common::auth::{AUDIENCE, Caller, Claims, Jwks, Revocations, Role, ServiceTokens, TokenVerifier};
use common::database::Database;
use common::database::transaction_effects::InboxRecord;
use common::runtime::Worker;
use common::telemetry::clock::{Clock as _, ManualClock, SystemClock};
use contracts::api::{Revocation, RevocationPage};
use contracts::event::UserAccessRevoked;
use contracts::topology::ORDER_REVOCATIONS;
use contracts::{Envelope, Event, EventId, UserId};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::json;
use sqlx::migrate::Migrator;

use crate::support::{Answer, app, client, get_with, nowhere, serve, settings};

/// A user service with a feed of revocations, two items a page.
#[derive(Clone, Default)]
struct Users {
    feed: Arc<Mutex<Vec<Revocation>>>,
    asked: Arc<Mutex<Vec<i64>>>,
    older: Arc<AtomicBool>,
}

#[derive(Deserialize)]
struct After {
    after: i64,
}

impl Users {
    fn revoke(&self, user_id: UserId, min_version: Option<i64>, sessions: &[&str]) {
        let mut feed = self.feed.lock().unwrap();
        let seq = i64::try_from(feed.len()).unwrap() + 1;
        let session_ids = Some(sessions.iter().map(|id| (*id).to_owned()).collect());
        feed.push(Revocation { seq, user_id, min_version, session_ids });
    }

    fn page(&self, after: i64, headers: &HeaderMap) -> Response {
        assert_eq!(headers["authorization"], "Bearer service-token");
        if self.older.load(Ordering::SeqCst) {
            return StatusCode::NOT_FOUND.into_response();
        }
        self.asked.lock().unwrap().push(after);
        let feed = self.feed.lock().unwrap();
        let items: Vec<_> = feed.iter().filter(|item| item.seq > after).take(2).cloned().collect();
        let next = items.last().map_or(after, |item| item.seq);
        axum::Json(RevocationPage { items, next }).into_response()
    }

    async fn start(&self) -> String {
        let users = self.clone();
        let page = move |Query(After { after }): Query<After>, headers: HeaderMap| {
            std::future::ready(users.page(after, &headers))
        };
        let token = || async {
            axum::Json(json!({"access_token": "service-token", "token_type": "Bearer", "expires_in": 3600}))
        };
        serve(Router::new().route("/api/auth/revocations", get(page)).route("/api/auth/token", post(token))).await
    }
}

#[derive(Clone)]
struct State(TokenVerifier);

impl FromRef<State> for TokenVerifier {
    fn from_ref(state: &State) -> Self {
        state.0.clone()
    }
}

/// An instance of a service.
struct Instance {
    app: Router,
    revocations: Revocations,
    reader: Arc<dyn Worker>,
    poller: Arc<dyn Worker>,
}

struct Setup {
    directory: tempfile::TempDir,
    key: SigningKey,
    clock: ManualClock,
    users: Users,
    url: String,
}

impl Setup {
    async fn new() -> Self {
        let users = Users::default();
        Self {
            directory: tempfile::tempdir().unwrap(),
            key: SigningKey::from_pem(&generate_pem()).unwrap(),
            clock: ManualClock::at(SystemClock.now()),
            url: users.start().await,
            users,
        }
    }

    async fn instance(&self) -> Instance {
        self.instance_at(&self.url).await
    }

    /// An instance that finds the user service there.
    async fn instance_at(&self, url: &str) -> Instance {
        let none = Migrator::with_migrations(Vec::new());
        let db = Database::open_sqlite(&self.directory.path().join("test.db"), "order-service", &none).await.unwrap();
        let revocations = db.revocations(self.clock.shared());
        revocations.load().await.unwrap();
        let client = client(url, self.clock.shared());
        let secret = "secret".to_owned().into();
        let tokens = ServiceTokens::new(client.clone(), "order-service", secret, self.clock.shared());
        let [reader, poller] = revocations.workers(client, tokens);
        let jwks = Jwks { keys: vec![self.key.jwk().clone()] };
        let verifier = TokenVerifier::local(&jwks, "shopfleet", self.clock.shared());
        let state = State(verifier.with_revocations(revocations.clone()));
        let whoami = |caller: Caller| async move { caller.key() };
        let app = app(Router::new().route("/whoami", get(whoami)).with_state(state), &settings());
        Instance { app, revocations, reader, poller }
    }

    fn token(&self, user: UserId, version: Option<i64>, session: &str) -> String {
        let now = self.clock.now().timestamp();
        self.key.sign(&Claims {
            iss: "shopfleet".to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user.to_string(),
            user_id: Some(user.to_string()),
            sid: Some(session.to_owned()),
            av: version,
            scope: None,
            email: None,
            ev: None,
            role: Role::Admin,
            iat: now,
            exp: now + 900,
            jti: "1".to_owned(),
        })
    }

    fn user(&self) -> UserId {
        UserId::generate(self.clock.now())
    }
}

impl Instance {
    async fn whoami(&self, token: &str) -> Answer {
        get_with(&self.app, "/whoami", &[("authorization", &format!("Bearer {token}"))]).await
    }

    async fn accepts(&self, token: &str) -> bool {
        let answer = self.whoami(token).await;
        if answer.status != 200 {
            answer.refused(401, "UNAUTHENTICATED");
            assert_eq!(answer.header("www-authenticate"), "Bearer error=\"invalid_token\"");
        }
        answer.status == 200
    }
}

/// Delivers `user.access_revoked` as the consumer does.
async fn deliver(instance: &Instance, setup: &Setup, revoked: UserAccessRevoked) {
    let (now, event) = (setup.clock.now(), Event::UserAccessRevoked(revoked));
    let envelope = Envelope {
        id: EventId::generate(now),
        event_type: event.event_type().as_str().to_owned(),
        schema_version: 1,
        aggregate_id: event.aggregate_id(),
        sequence: 1,
        service: "user-service".to_owned(),
        timestamp: now,
        data: event.data().unwrap(),
    };
    let handler = instance.revocations.handler(ORDER_REVOCATIONS);
    let handled = InboxRecord { consumer: handler.queue().name, event_id: envelope.id };
    for _ in 0..2 {
        handler.handle(event.clone(), handled, &envelope).await.unwrap();
    }
}

#[tokio::test]
async fn revoked_token_is_rejected_although_it_was_verified_before() {
    let setup = Setup::new().await;
    let (one, other) = (setup.instance().await, setup.instance().await);
    let (user, stranger) = (setup.user(), setup.user());
    let (old, foreign) = (setup.token(user, Some(1), "a"), setup.token(stranger, Some(1), "b"));
    assert!(one.accepts(&old).await && other.accepts(&old).await && one.accepts(&foreign).await);
    let revoked =
        UserAccessRevoked { user_id: user, min_version: Some(2), session_ids: Vec::new(), reason: "role".to_owned() };
    deliver(&one, &setup, revoked).await;
    assert!(!one.accepts(&old).await, "at once where the event is consumed");
    assert!(one.accepts(&setup.token(user, Some(2), "a")).await, "a token of the new version is valid");
    assert!(one.accepts(&foreign).await, "another account is not meant");
    assert!(other.accepts(&old).await);
    other.reader.step().await.unwrap();
    assert!(!other.accepts(&old).await, "another instance reads it from the store");
    assert!(!setup.instance().await.accepts(&old).await, "one that starts later loads it");
}

#[tokio::test]
async fn ended_session_is_rejected_and_others_of_the_account_are_not() {
    let setup = Setup::new().await;
    let (instance, user) = (setup.instance().await, setup.user());
    let (ended, other) = (setup.token(user, Some(1), "ended"), setup.token(user, Some(1), "other"));
    let revoked = UserAccessRevoked {
        user_id: user,
        min_version: None,
        session_ids: vec!["ended".to_owned(), "another".to_owned()],
        reason: "signed_out".to_owned(),
    };
    deliver(&instance, &setup, revoked).await;
    assert!(!instance.accepts(&ended).await && instance.accepts(&other).await);
}

#[tokio::test]
async fn token_of_the_previous_version_is_rejected_by_its_age() {
    let setup = Setup::new().await;
    let (instance, user) = (setup.instance().await, setup.user());
    let old = setup.token(user, None, "a");
    assert!(instance.accepts(&old).await);
    setup.clock.advance(TimeDelta::seconds(60));
    let revoked =
        UserAccessRevoked { user_id: user, min_version: Some(2), session_ids: Vec::new(), reason: "role".to_owned() };
    deliver(&instance, &setup, revoked).await;
    assert!(!instance.accepts(&old).await);
    setup.clock.advance(TimeDelta::seconds(10));
    assert!(
        instance.accepts(&setup.token(user, None, "a")).await,
        "signed in anew at an instance of the version before"
    );
}

#[tokio::test]
async fn feed_is_polled_page_by_page_without_the_bus() {
    let setup = Setup::new().await;
    let (instance, users): (_, Vec<_>) = (setup.instance().await, (0..5).map(|_| setup.user()).collect());
    let tokens: Vec<_> = users.iter().map(|user| setup.token(*user, Some(1), &format!("of {user}"))).collect();
    for user in &users[..3] {
        setup.users.revoke(*user, Some(2), &[]);
    }
    instance.poller.prepare().await;
    for (number, token) in tokens.iter().enumerate() {
        assert_eq!(instance.accepts(token).await, number >= 3, "{number}");
    }
    assert_eq!(*setup.users.asked.lock().unwrap(), [0, 2, 3]);
    setup.users.revoke(users[3], None, &[&format!("of {}", users[3])]);
    instance.poller.step().await.unwrap();
    assert!(!instance.accepts(&tokens[3]).await && instance.accepts(&tokens[4]).await);
    assert_eq!(setup.users.asked.lock().unwrap()[3..], [3, 4], "it goes on where it was");
    // What one instance polled is stored for those that start while the user service is unavailable.
    let alone = setup.instance_at(&nowhere().await).await;
    alone.poller.prepare().await;
    assert!(alone.poller.step().await.is_err());
    assert!(!alone.accepts(&tokens[0]).await && !alone.accepts(&tokens[3]).await && alone.accepts(&tokens[4]).await);
}

#[tokio::test]
async fn user_service_of_the_previous_version_has_no_feed() {
    let setup = Setup::new().await;
    setup.users.older.store(true, Ordering::SeqCst);
    setup.instance().await.poller.step().await.unwrap();
}

#[tokio::test]
async fn revocation_is_stored_until_the_last_token_has_expired() {
    let setup = Setup::new().await;
    let (instance, user) = (setup.instance().await, setup.user());
    let revoked =
        UserAccessRevoked { user_id: user, min_version: Some(2), session_ids: Vec::new(), reason: "role".to_owned() };
    deliver(&instance, &setup, revoked).await;
    let stored = || async { instance.revocations.store().recorded_since(chrono::DateTime::UNIX_EPOCH).await.unwrap() };
    // A token that was issued at the last moment, and the leeway that verification allows.
    setup.clock.advance(TimeDelta::seconds(15 * 60 + 3));
    instance.reader.step().await.unwrap();
    assert_eq!(stored().await.len(), 1);
    setup.clock.advance(RETENTION);
    instance.reader.step().await.unwrap();
    assert_eq!(stored().await.len(), 0);
}
