//! A line to the provider that can be disturbed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// What happens to a call.
#[derive(Clone)]
pub(crate) enum Disturbance {
    /// It is not carried out, and no answer comes.
    Down,
    /// It is carried out, and the answer is lost.
    AnswerLost,
    /// It is not carried out, and a fault is answered.
    Fault,
    /// It is carried out, and a fault is answered.
    FaultAfterAll,
    /// It is carried out, and the answer comes when this is notified.
    Slow(Arc<Notify>),
    /// This is answered.
    Answer(u16, &'static str),
}

/// A call and its idempotency key.
type Seen = (String, Option<String>);

#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) url: String,
    upstream: String,
    client: reqwest::Client,
    next: Arc<Mutex<VecDeque<(&'static str, Disturbance)>>>,
    always: Arc<Mutex<Option<Disturbance>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Proxy {
    pub(crate) async fn start(upstream: String, client: reqwest::Client) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (next, always, seen) = (Arc::default(), Arc::default(), Arc::default());
        let proxy = Self { url, upstream, client, next, always, seen };
        let router = Router::new().fallback(pass).with_state(proxy.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        proxy
    }

    /// Disturbs the next call whose method and path begin so.
    pub(crate) fn disturb(&self, call: &'static str, disturbance: Disturbance) {
        self.next.lock().unwrap().push_back((call, disturbance));
    }

    /// Disturbs all calls, or none.
    pub(crate) fn disturb_all(&self, disturbance: Option<Disturbance>) {
        *self.always.lock().unwrap() = disturbance;
    }

    /// The calls so far that begin so, with their idempotency keys.
    pub(crate) fn seen(&self, call: &str) -> Vec<Option<String>> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|(seen, _)| seen.starts_with(call)).map(|(_, key)| key.clone()).collect()
    }

    fn disturbance(&self, call: &str) -> Option<Disturbance> {
        let mut next = self.next.lock().unwrap();
        let at = next.iter().position(|(prefix, _)| call.starts_with(prefix));
        let one = at.and_then(|at| next.remove(at)).map(|(_, disturbance)| disturbance);
        one.or_else(|| self.always.lock().unwrap().clone())
    }

    async fn forward(&self, request: Request) -> (StatusCode, Bytes) {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let path = parts.uri.path_and_query().unwrap().as_str();
        let mut forwarded = self.client.request(parts.method, format!("{}{path}", self.upstream)).body(body);
        for name in ["authorization", "content-type", "idempotency-key"] {
            if let Some(value) = parts.headers.get(name) {
                forwarded = forwarded.header(name, value);
            }
        }
        let answer = forwarded.send().await.unwrap();
        (answer.status(), answer.bytes().await.unwrap())
    }
}

async fn pass(State(proxy): State<Proxy>, request: Request) -> Response {
    let call = format!("{} {}", request.method(), request.uri().path());
    let key = request.headers().get("idempotency-key").map(|key| key.to_str().unwrap().to_owned());
    proxy.seen.lock().unwrap().push((call.clone(), key));
    match proxy.disturbance(&call) {
        None => proxy.forward(request).await.into_response(),
        Some(Disturbance::Down) => lost(),
        Some(Disturbance::AnswerLost) => {
            proxy.forward(request).await;
            lost()
        }
        Some(Disturbance::Fault) => fault(),
        Some(Disturbance::FaultAfterAll) => {
            proxy.forward(request).await;
            fault()
        }
        Some(Disturbance::Slow(released)) => {
            let answer = proxy.forward(request).await;
            released.notified().await;
            answer.into_response()
        }
        Some(Disturbance::Answer(status, body)) => (StatusCode::from_u16(status).unwrap(), body).into_response(),
    }
}

/// The connection breaks in the middle of the answer.
fn lost() -> Response {
    let broken = futures::stream::once(async { Err::<Bytes, _>(std::io::Error::other("broken")) });
    Body::from_stream(broken).into_response()
}

fn fault() -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, r#"{"error":{"type":"api_error","message":"fault"}}"#).into_response()
}
