//! Which tokens count. The keys come from a server on a free port, as in production.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::FromRef;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use common::auth::keys::{SigningKey, generate_pem};
use common::auth::{AUDIENCE, Caller, Claims, Role, SessionCheck, TokenVerifier};
use common::runtime::Worker;
use common::telemetry::clock::{Clock, ManualClock, SystemClock};
use contracts::UserId;
use http::StatusCode;
use jsonwebtoken::{Algorithm, EncodingKey};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use crate::support::{Answer, app, client, discovery, get_with, nowhere, serve, settings};

/// A user service that publishes keys and counts who asks for them.
#[derive(Clone, Default)]
struct Publisher {
    keys: Arc<Mutex<Vec<Value>>>,
    down: Arc<AtomicBool>,
    asked: Arc<AtomicU32>,
}

impl Publisher {
    fn publish(&self, keys: &[&SigningKey]) {
        *self.keys.lock().unwrap() = keys.iter().map(|key| json!(key.jwk())).collect();
    }

    fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }

    fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    fn answer(&self) -> Response {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.down.load(Ordering::SeqCst) {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        axum::Json(json!({"keys": *self.keys.lock().unwrap()})).into_response()
    }

    async fn start(&self) -> String {
        let publisher = self.clone();
        let answer = move || std::future::ready(publisher.answer());
        serve(Router::new().route("/.well-known/jwks.json", get(answer))).await
    }
}

#[derive(Clone)]
struct State(TokenVerifier);

impl FromRef<State> for TokenVerifier {
    fn from_ref(state: &State) -> Self {
        state.0.clone()
    }
}

fn guarded(verifier: TokenVerifier) -> Router {
    let whoami = |caller: Caller| async move { caller.key() };
    app(Router::new().route("/whoami", get(whoami)).with_state(State(verifier)), &settings())
}

async fn whoami(app: &Router, token: &str) -> Answer {
    get_with(app, "/whoami", &[("authorization", &format!("Bearer {token}"))]).await
}

thread_local! {
    /// The private keys of a test, by their ids: the key itself signs nothing but tokens that are in order.
    static PEMS: RefCell<HashMap<String, SecretString>> = RefCell::default();
}

fn new_key() -> SigningKey {
    let pem = generate_pem();
    let key = SigningKey::from_pem(&pem).unwrap();
    PEMS.with_borrow_mut(|pems| pems.insert(key.kid().to_owned(), pem));
    key
}

/// The key's signature of any message.
fn sign(key: &SigningKey, message: &str) -> String {
    PEMS.with_borrow(|pems| {
        let key = EncodingKey::from_ec_pem(pems[key.kid()].expose_secret().as_bytes()).unwrap();
        jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::ES256).unwrap()
    })
}

fn claims(clock: &dyn Clock) -> Claims {
    let now = clock.now();
    let user = UserId::generate(now).to_string();
    Claims {
        iss: "shopfleet".to_owned(),
        aud: AUDIENCE.to_owned(),
        sub: user.clone(),
        user_id: Some(user),
        sid: Some("session".to_owned()),
        av: None,
        scope: None,
        email: Some("ada@example.com".to_owned()),
        ev: None,
        role: Role::User,
        iat: now.timestamp(),
        exp: now.timestamp() + 900,
        jti: "1".to_owned(),
    }
}

/// A token with this header and these claims, and a signature by whoever `sign` is.
fn forged(header: &Value, claims: &Value, sign: impl FnOnce(&str) -> String) -> String {
    let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", encode(header), encode(claims));
    let signature = sign(&message);
    format!("{message}.{signature}")
}

struct Setup {
    key: SigningKey,
    clock: ManualClock,
    publisher: Publisher,
    app: Router,
    refresh_worker: Arc<dyn Worker>,
}

async fn setup() -> Setup {
    let (key, clock, publisher) = (new_key(), ManualClock::at(SystemClock.now()), Publisher::default());
    publisher.publish(&[&key]);
    let url = publisher.start().await;
    let client = client(&url, clock.shared());
    let verifier = TokenVerifier::remote(discovery(&url), "shopfleet", clock.shared(), client);
    Setup { key, clock, publisher, refresh_worker: verifier.refresh_worker(), app: guarded(verifier) }
}

fn assert_invalid(answer: &Answer) {
    answer.refused(401, "UNAUTHENTICATED");
    assert_eq!(answer.header("www-authenticate"), "Bearer error=\"invalid_token\"");
}

#[tokio::test]
async fn token_of_the_user_service_is_accepted() {
    let Setup { key, clock, publisher, app, .. } = setup().await;
    let claims = claims(&clock);
    let token = key.sign(&claims);
    for _ in 0..3 {
        assert_eq!(whoami(&app, &token).await.text(), format!("user:{}", claims.sub));
    }
    assert_eq!(publisher.asked(), 1, "the keys are fetched once");
    let lower_case = get_with(&app, "/whoami", &[("authorization", &format!("bearer {token}"))]).await;
    assert_eq!(lower_case.status, 200, "the scheme's name is not case-sensitive");
}

#[tokio::test]
async fn missing_token_is_challenged() {
    let Setup { app, publisher, .. } = setup().await;
    let answer = get_with(&app, "/whoami", &[]).await;
    answer.refused(401, "UNAUTHENTICATED");
    assert_eq!(answer.header("www-authenticate"), "Bearer");
    for header in ["Basic YTpi", "Bearer", "Bearer ", "token"] {
        assert_invalid(&get_with(&app, "/whoami", &[("authorization", header)]).await);
    }
    for token in ["x", "a.b.c", "....", "e30.e30.e30"] {
        assert_invalid(&whoami(&app, token).await);
    }
    assert_eq!(publisher.asked(), 0, "nonsense costs nobody a call");
}

#[tokio::test]
async fn invalid_claims_are_rejected() {
    let Setup { key, clock, app, .. } = setup().await;
    let good = claims(&clock);
    for claims in [
        Claims { aud: "another".to_owned(), ..good.clone() },
        Claims { iss: "another".to_owned(), ..good.clone() },
        Claims { exp: clock.now().timestamp() - 10, ..good.clone() },
        Claims { sub: "no-uuid".to_owned(), ..good.clone() },
    ] {
        assert_invalid(&whoami(&app, &key.sign(&claims)).await);
    }
    let header = json!({"alg": "ES256", "kid": key.kid(), "typ": "JWT"});
    for missing in ["exp", "iss", "aud", "sub", "role"] {
        let mut claims = json!(good);
        claims.as_object_mut().unwrap().remove(missing);
        let token = forged(&header, &claims, |message| sign(&key, message));
        assert_invalid(&whoami(&app, &token).await);
    }
    let odd = json!({"role": "root"});
    let mut claims = json!(good);
    claims.as_object_mut().unwrap().extend(odd.as_object().unwrap().clone());
    assert_invalid(&whoami(&app, &forged(&header, &claims, |message| sign(&key, message))).await);
}

#[tokio::test]
async fn expired_token_is_rejected_although_it_was_verified_before() {
    let Setup { key, clock, app, .. } = setup().await;
    let token = key.sign(&claims(&clock));
    assert_eq!(whoami(&app, &token).await.status, 200);
    clock.advance(TimeDelta::seconds(901));
    assert_eq!(whoami(&app, &token).await.status, 200, "clocks may be a little apart");
    clock.advance(TimeDelta::seconds(5));
    assert_invalid(&whoami(&app, &token).await);
}

#[tokio::test]
async fn other_algorithms_are_rejected() {
    let Setup { key, clock, app, .. } = setup().await;
    let claims = json!(claims(&clock));
    let header = |alg: &str| json!({"alg": alg, "typ": "JWT", "kid": key.kid()});
    for none in ["none", "None", "NONE"] {
        assert_invalid(&whoami(&app, &forged(&header(none), &claims, |_| String::new())).await);
    }
    // The public key, which everybody has, taken for a shared secret.
    let public = json!(key.jwk()).to_string();
    for secret in [public, key.jwk().x.clone()] {
        let secret = EncodingKey::from_secret(secret.as_bytes());
        let token = forged(&header("HS256"), &claims, |message| {
            jsonwebtoken::crypto::sign(message.as_bytes(), &secret, Algorithm::HS256).unwrap()
        });
        assert_invalid(&whoami(&app, &token).await);
    }
    for other in ["ES384", "RS256", "EdDSA", "es256"] {
        let token = forged(&header(other), &claims, |message| sign(&key, message));
        assert_invalid(&whoami(&app, &token).await);
    }
    let critical = json!({"alg": "ES256", "kid": key.kid(), "crit": ["b64"], "b64": false});
    assert_invalid(&whoami(&app, &forged(&critical, &claims, |message| sign(&key, message))).await);
    let nameless = json!({"alg": "ES256"});
    assert_invalid(&whoami(&app, &forged(&nameless, &claims, |message| sign(&key, message))).await);
}

#[tokio::test]
async fn signature_by_another_key_is_rejected() {
    let Setup { key, clock, app, .. } = setup().await;
    let stranger = new_key();
    let claims = claims(&clock);
    let header = json!({"alg": "ES256", "kid": key.kid(), "typ": "JWT"});
    assert_invalid(&whoami(&app, &forged(&header, &json!(claims), |message| sign(&stranger, message))).await);
    let good = key.sign(&claims);
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (head, _) = message.split_once('.').unwrap();
    let admin = BASE64_URL_SAFE_NO_PAD.encode(json!(Claims { role: Role::Admin, ..claims }).to_string());
    assert_invalid(&whoami(&app, &format!("{head}.{admin}.{signature}")).await);
    assert_invalid(&whoami(&app, &format!("{message}.{}", &signature[..80])).await);
}

#[tokio::test]
async fn unknown_key_causes_at_most_one_fetch_in_ten_seconds() {
    let Setup { key, clock, publisher, app, .. } = setup().await;
    assert_eq!(whoami(&app, &key.sign(&claims(&clock))).await.status, 200);
    let (second, third) = (new_key(), new_key());
    publisher.publish(&[&key, &second]);
    assert_eq!(whoami(&app, &second.sign(&claims(&clock))).await.status, 200, "a new key is taken up at once");
    assert_eq!(publisher.asked(), 2);
    for _ in 0..20 {
        assert_invalid(&whoami(&app, &third.sign(&claims(&clock))).await);
    }
    assert_eq!(publisher.asked(), 2);
    clock.advance(TimeDelta::seconds(10));
    publisher.publish(&[&third]);
    assert_eq!(whoami(&app, &third.sign(&claims(&clock))).await.status, 200);
    assert_eq!(publisher.asked(), 3);
    assert_invalid(&whoami(&app, &key.sign(&claims(&clock))).await);
}

#[tokio::test]
async fn withdrawn_key_no_longer_verifies_cached_tokens() {
    let Setup { key, clock, publisher, app, .. } = setup().await;
    let (old, new) = (key.sign(&claims(&clock)), new_key());
    assert_eq!(whoami(&app, &old).await.status, 200);
    publisher.publish(&[&new]);
    assert_eq!(whoami(&app, &new.sign(&claims(&clock))).await.status, 200);
    assert_invalid(&whoami(&app, &old).await);
}

#[tokio::test]
async fn withdrawn_key_expires_within_a_minute_without_new_keys() {
    let Setup { key, clock, publisher, app, refresh_worker } = setup().await;
    refresh_worker.step().await.unwrap();
    assert_eq!(publisher.asked(), 0, "they are fetched when they are first needed");
    let token = key.sign(&claims(&clock));
    assert_eq!(whoami(&app, &token).await.status, 200);
    publisher.publish(&[&new_key()]);
    clock.advance(TimeDelta::seconds(44));
    refresh_worker.step().await.unwrap();
    assert_eq!(publisher.asked(), 1, "young keys are kept");
    assert_eq!(whoami(&app, &token).await.status, 200);
    clock.advance(TimeDelta::seconds(1));
    publisher.set_down(true);
    refresh_worker.step().await.unwrap();
    assert_eq!(whoami(&app, &token).await.status, 200, "while the user service is away they are kept too");
    publisher.set_down(false);
    clock.advance(TimeDelta::seconds(10));
    refresh_worker.step().await.unwrap();
    assert_invalid(&whoami(&app, &token).await);
}

#[tokio::test]
async fn last_valid_keys_are_used_while_the_user_service_is_unavailable() {
    let Setup { key, clock, publisher, app, .. } = setup().await;
    assert_eq!(whoami(&app, &key.sign(&claims(&clock))).await.status, 200);
    publisher.set_down(true);
    clock.advance(TimeDelta::hours(1));
    assert_invalid(&whoami(&app, &new_key().sign(&claims(&clock))).await);
    assert_eq!(publisher.asked(), 2);
    assert_eq!(whoami(&app, &key.sign(&claims(&clock))).await.status, 200);
}

#[tokio::test]
async fn missing_keys_are_503() {
    let Setup { key, clock, publisher, app, .. } = setup().await;
    publisher.set_down(true);
    let answer = whoami(&app, &key.sign(&claims(&clock))).await;
    answer.refused(503, "SERVICE_UNAVAILABLE");
    assert!(!answer.header("retry-after").is_empty());
    get_with(&app, "/whoami", &[]).await.refused(401, "UNAUTHENTICATED");
    publisher.set_down(false);
    clock.advance(TimeDelta::seconds(1));
    assert_eq!(whoami(&app, &key.sign(&claims(&clock))).await.status, 200, "they are had as soon as they can be");

    let url = nowhere().await;
    let client = client(&url, clock.shared());
    let unreachable = guarded(TokenVerifier::remote(discovery(&url), "shopfleet", clock.shared(), client));
    whoami(&unreachable, &key.sign(&claims(&clock))).await.refused(503, "SERVICE_UNAVAILABLE");
}

#[tokio::test]
async fn first_requests_share_one_fetch_of_the_keys() {
    let Setup { key, clock, publisher, app, .. } = setup().await;
    let token = key.sign(&claims(&clock));
    let answers = futures::future::join_all((0..20).map(|_| whoami(&app, &token))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(publisher.asked(), 1);
}

#[tokio::test]
async fn keys_of_other_types_are_ignored() {
    let Setup { key, clock, publisher, app, .. } = setup().await;
    publisher
        .keys
        .lock()
        .unwrap()
        .extend([json!({"kty": "RSA", "n": "x", "e": "AQAB", "kid": "rsa"}), json!("nonsense")]);
    assert_eq!(whoami(&app, &key.sign(&claims(&clock))).await.status, 200);
}

#[tokio::test]
async fn keys_are_fetched_from_a_fixed_url() {
    let (key, clock, publisher) = (new_key(), ManualClock::at(SystemClock.now()), Publisher::default());
    publisher.publish(&[&key]);
    let url: Url = format!("{}/.well-known/jwks.json", publisher.start().await).parse().unwrap();
    let client = client(&nowhere().await, clock.shared());
    let app = guarded(TokenVerifier::remote(url, "shopfleet", clock.shared(), client));
    assert_eq!(whoami(&app, &key.sign(&claims(&clock))).await.status, 200);
}

/// A request that ends before the keys have come, by its deadline or since its client goes away, cuts no fetch short.
#[tokio::test]
async fn unknown_kid_without_time_does_not_prevent_the_fetch() {
    let Setup { key, clock, publisher, app, .. } = setup().await;
    let old = key.sign(&claims(&clock));
    assert_eq!(whoami(&app, &old).await.status, 200);
    let (new, unknown) = (new_key(), format!("Bearer {}", new_key().sign(&claims(&clock))));
    publisher.publish(&[&new]);
    for millis in ["0", "1"] {
        clock.advance(TimeDelta::seconds(10));
        let asked = publisher.asked();
        get_with(&app, "/whoami", &[("authorization", &unknown), ("x-request-timeout-ms", millis)]).await;
        crate::support::until("the fetch", || async { (publisher.asked() > asked).then_some(()) }).await;
        // The next request would share a fetch that has not ended.
        crate::support::until("the published keys", || async {
            (whoami(&app, &old).await.status == 401).then_some(())
        })
        .await;
    }
    // The fetch that the attack began went on to its end, and has all that is published.
    crate::support::until("the new key", || async {
        (whoami(&app, &new.sign(&claims(&clock))).await.status == 200).then_some(())
    })
    .await;
    assert_invalid(&whoami(&app, &old).await);
}

#[tokio::test]
async fn failed_fetch_does_not_use_up_the_one_in_ten_seconds() {
    let Setup { key, clock, publisher, app, .. } = setup().await;
    assert_eq!(whoami(&app, &key.sign(&claims(&clock))).await.status, 200);
    let new = new_key();
    publisher.publish(&[&new]);
    publisher.set_down(true);
    assert_invalid(&whoami(&app, &new.sign(&claims(&clock))).await);
    publisher.set_down(false);
    clock.advance(TimeDelta::milliseconds(250));
    assert_eq!(whoami(&app, &new.sign(&claims(&clock))).await.status, 200);
}

struct Sessions(Mutex<Result<bool, &'static str>>, AtomicU32);

#[async_trait::async_trait]
impl SessionCheck for Sessions {
    async fn is_active(&self, claims: &Claims) -> Result<bool, common::BoxError> {
        assert_eq!(claims.sid.as_deref(), Some("session"));
        self.1.fetch_add(1, Ordering::SeqCst);
        Ok((*self.0.lock().unwrap())?)
    }
}

#[tokio::test]
async fn session_is_checked_at_each_request() {
    let (key, clock) = (new_key(), ManualClock::at(SystemClock.now()));
    let sessions = Arc::new(Sessions(Mutex::new(Ok(true)), AtomicU32::new(0)));
    let jwks = common::auth::Jwks { keys: vec![key.jwk().clone()] };
    let verifier = TokenVerifier::local(&jwks, "shopfleet", clock.shared()).with_session_check(sessions.clone());
    let app = guarded(verifier);
    let token = key.sign(&claims(&clock));
    assert_eq!(whoami(&app, &token).await.status, 200);
    *sessions.0.lock().unwrap() = Ok(false);
    assert_invalid(&whoami(&app, &token).await);
    *sessions.0.lock().unwrap() = Err("the store is away");
    whoami(&app, &token).await.refused(503, "SERVICE_UNAVAILABLE");
    assert_eq!(sessions.1.load(Ordering::SeqCst), 3);
}
