//! The tokens that services call each other with.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::TimeDelta;
use common::auth::ServiceTokens;
use common::client::CallError;
use common::runtime::NextRun;
use common::telemetry::clock::Clock;
use common::telemetry::clock::{ManualClock, SystemClock};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use crate::support::{client, serve, until};

#[derive(Clone, Default)]
struct Issuer {
    issued: Arc<AtomicU32>,
    down: Arc<AtomicBool>,
}

impl Issuer {
    fn issue(&self, headers: &HeaderMap, form: &str) -> Response {
        if self.down.load(Ordering::SeqCst) {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        assert_eq!(form, "grant_type=client_credentials");
        assert_eq!(headers["content-type"], "application/x-www-form-urlencoded");
        let expected = format!("Basic {}", BASE64_STANDARD.encode("order-service:s%3Acret%26"));
        if headers["authorization"] != expected {
            return (StatusCode::UNAUTHORIZED, axum::Json(json!({"error": "invalid_client"}))).into_response();
        }
        let number = self.issued.fetch_add(1, Ordering::SeqCst) + 1;
        axum::Json(json!({"access_token": format!("token-{number}"), "token_type": "Bearer", "expires_in": 3600}))
            .into_response()
    }

    fn issued(&self) -> u32 {
        self.issued.load(Ordering::SeqCst)
    }

    async fn start(&self, secret: &str, clock: &ManualClock) -> ServiceTokens {
        let issuer = self.clone();
        let issue = move |headers: HeaderMap, form: String| std::future::ready(issuer.issue(&headers, &form));
        let url = serve(Router::new().route("/api/auth/token", post(issue))).await;
        ServiceTokens::new(client(&url, clock.shared()), "order-service", secret.to_owned().into(), clock.shared())
    }
}

async fn token(tokens: &ServiceTokens) -> String {
    tokens.bearer().await.unwrap().header()
}

#[tokio::test]
async fn token_is_fetched_once_and_cached() {
    let (issuer, clock) = (Issuer::default(), ManualClock::at(SystemClock.now()));
    let tokens = issuer.start("s:cret&", &clock).await;
    let all = futures::future::join_all((0..10).map(|_| token(&tokens))).await;
    assert!(all.iter().all(|token| token == "Bearer token-1"), "{all:?}");
    assert_eq!(issuer.issued(), 1);
}

#[tokio::test]
async fn token_is_renewed_at_half_its_life() {
    let (issuer, clock) = (Issuer::default(), ManualClock::at(SystemClock.now()));
    let tokens = issuer.start("s:cret&", &clock).await;
    assert_eq!(token(&tokens).await, "Bearer token-1");
    clock.advance(TimeDelta::minutes(29));
    assert_eq!(token(&tokens).await, "Bearer token-1");
    assert_eq!(issuer.issued(), 1);
    clock.advance(TimeDelta::minutes(1));
    assert_eq!(token(&tokens).await, "Bearer token-1", "nobody waits for the new one");
    until("a new token", || async { (token(&tokens).await == "Bearer token-2").then_some(()) }).await;
    assert_eq!(issuer.issued(), 2);
}

#[tokio::test]
async fn unavailable_user_service_affects_no_call_before_the_token_expires() {
    let (issuer, clock) = (Issuer::default(), ManualClock::at(SystemClock.now()));
    let tokens = issuer.start("s:cret&", &clock).await;
    assert_eq!(token(&tokens).await, "Bearer token-1");
    issuer.down.store(true, Ordering::SeqCst);
    clock.advance(TimeDelta::minutes(59));
    assert_eq!(token(&tokens).await, "Bearer token-1");
    clock.advance(TimeDelta::minutes(1));
    assert!(matches!(tokens.bearer().await, Err(CallError::Unavailable { .. })));
    issuer.down.store(false, Ordering::SeqCst);
    assert_eq!(token(&tokens).await, "Bearer token-2");
}

#[tokio::test]
async fn worker_renews_an_unused_token() {
    let (issuer, clock) = (Issuer::default(), ManualClock::at(SystemClock.now()));
    let tokens = issuer.start("s:cret&", &clock).await;
    let refresh_worker = tokens.refresh_worker();
    let begun = clock.now();
    assert_eq!(refresh_worker.step().await.unwrap(), NextRun::At(begun + TimeDelta::minutes(30)));
    assert_eq!(refresh_worker.step().await.unwrap(), NextRun::At(begun + TimeDelta::minutes(30)));
    assert_eq!(issuer.issued(), 1);
    clock.advance(TimeDelta::minutes(30));
    issuer.down.store(true, Ordering::SeqCst);
    assert!(refresh_worker.step().await.is_err());
    issuer.down.store(false, Ordering::SeqCst);
    assert_eq!(refresh_worker.step().await.unwrap(), NextRun::At(begun + TimeDelta::minutes(60)));
    assert_eq!(token(&tokens).await, "Bearer token-2");
}

#[tokio::test]
async fn invalid_credentials_are_reported() {
    let (issuer, clock) = (Issuer::default(), ManualClock::at(SystemClock.now()));
    let tokens = issuer.start("wrong", &clock).await;
    let error = tokens.bearer().await.unwrap_err();
    assert!(matches!(error, CallError::InvalidResponse { .. }));
    assert!(common::error_chain(&error).contains("CLIENT_SECRET"), "{}", common::error_chain(&error));
    assert!(!common::error_chain(&error).contains("wrong\""));
}

/// The caller's deadline is not the fetch's: whoever waits with more time gets the token of the same fetch.
#[tokio::test]
async fn fetch_outlives_the_caller_that_began_it() {
    let (issued, release) = (Arc::new(AtomicU32::new(0)), Arc::new(tokio::sync::Notify::new()));
    let issue = {
        let (issued, release) = (issued.clone(), release.clone());
        move || async move {
            issued.fetch_add(1, Ordering::SeqCst);
            release.notified().await;
            axum::Json(json!({"access_token": "token", "token_type": "Bearer", "expires_in": 3600}))
        }
    };
    let url = serve(Router::new().route("/api/auth/token", post(issue))).await;
    let clock = common::telemetry::clock::system();
    let tokens = ServiceTokens::new(client(&url, clock.clone()), "order-service", "s".to_owned().into(), clock);
    let first = tokio::spawn({
        let tokens = tokens.clone();
        async move { tokens.bearer().await }
    });
    until("the fetch", || async { (issued.load(Ordering::SeqCst) == 1).then_some(()) }).await;
    first.abort();
    let second = tokio::spawn({
        let tokens = tokens.clone();
        async move { token(&tokens).await }
    });
    release.notify_one();
    assert_eq!(second.await.unwrap(), "Bearer token");
    assert_eq!(issued.load(Ordering::SeqCst), 1);
}
