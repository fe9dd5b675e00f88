//! Receiver of webhooks on a free port.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::{WEBHOOK_SECRET, eventually};

/// Received webhook.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) signature: String,
    pub(crate) text: String,
    pub(crate) event: Value,
}

impl Received {
    pub(crate) fn kind(&self) -> &str {
        self.event["type"].as_str().unwrap()
    }

    pub(crate) fn object(&self) -> &Value {
        &self.event["data"]["object"]
    }

    /// Verifies the signature, and returns its time.
    pub(crate) fn signed_at(&self) -> i64 {
        let (time, digest) = self.signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(WEBHOOK_SECRET.as_bytes()).unwrap();
        mac.update(format!("{time}.{}", self.text).as_bytes());
        let expected: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, expected);
        time.parse().unwrap()
    }
}

#[derive(Default)]
struct Inner {
    received: Mutex<Vec<Received>>,
    /// Number of rejections by event.
    failures: Mutex<HashMap<String, u32>>,
    reject_first: Mutex<u32>,
    /// Kind of event whose handler hangs.
    hangs_on: Mutex<Option<String>>,
    release: Notify,
}

/// Receiver that records webhooks.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) url: String,
    inner: Arc<Inner>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn on(listener: TcpListener) -> Self {
        let inner = Arc::<Inner>::default();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let router = Router::new().route("/hook", post(receive)).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, inner }
    }

    /// Rejects each event this number of times before it is accepted.
    pub(crate) fn reject_first(&self, times: u32) {
        *self.inner.reject_first.lock().unwrap() = times;
    }

    /// Never responds to events of this kind.
    pub(crate) fn hang_on(&self, kind: &str) {
        *self.inner.hangs_on.lock().unwrap() = Some(kind.to_owned());
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.inner.received.lock().unwrap().clone()
    }

    /// Waits until the attempts so far satisfy `enough`.
    pub(crate) async fn wait(&self, what: &str, enough: impl Fn(&[Received]) -> bool) -> Vec<Received> {
        eventually(what, || async {
            let received = self.received();
            enough(&received).then_some(received)
        })
        .await
    }

    /// Waits for the first webhook of this kind.
    pub(crate) async fn first(&self, kind: &str) -> Received {
        let received = self.wait(kind, |all| all.iter().any(|one| one.kind() == kind)).await;
        received.into_iter().find(|one| one.kind() == kind).unwrap()
    }
}

async fn receive(State(inner): State<Arc<Inner>>, headers: HeaderMap, text: String) -> StatusCode {
    let event: Value = serde_json::from_str(&text).unwrap();
    let signature = headers["stripe-signature"].to_str().unwrap().to_owned();
    let id = event["id"].as_str().unwrap().to_owned();
    let hangs = inner.hangs_on.lock().unwrap().as_deref() == event["type"].as_str();
    inner.received.lock().unwrap().push(Received { signature, text, event });
    if hangs {
        inner.release.notified().await;
    }
    let reject_first = *inner.reject_first.lock().unwrap();
    let mut failures = inner.failures.lock().unwrap();
    let failed = failures.entry(id).or_default();
    if *failed < reject_first {
        *failed += 1;
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    StatusCode::OK
}
