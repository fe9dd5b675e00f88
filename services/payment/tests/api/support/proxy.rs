//! Proxy to the provider with injected faults.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// Fault of a call.
#[derive(Clone)]
pub(crate) enum ProviderFault {
    /// Not carried out, no response.
    Down,
    /// Carried out, response lost.
    ResponseLost,
    /// Not carried out, server error.
    ServerError,
    /// Carried out, server error.
    ServerErrorAfterExecution,
    /// Carried out, response delayed until the notification.
    Slow(Arc<Notify>),
    /// Not carried out, this response.
    Respond(u16, &'static str),
}

/// Call with its idempotency key.
type Call = (String, Option<String>);

#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) url: String,
    upstream: String,
    client: reqwest::Client,
    next: Arc<Mutex<VecDeque<(&'static str, ProviderFault)>>>,
    always: Arc<Mutex<Option<ProviderFault>>>,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Proxy {
    pub(crate) async fn start(upstream: String, client: reqwest::Client) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (next, always, calls) = (Arc::default(), Arc::default(), Arc::default());
        let proxy = Self { url, upstream, client, next, always, calls };
        let router = Router::new().fallback(pass).with_state(proxy.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        proxy
    }

    /// Injects a fault into the next call whose method and path start with `call`.
    pub(crate) fn inject(&self, call: &'static str, fault: ProviderFault) {
        self.next.lock().unwrap().push_back((call, fault));
    }

    /// Injects a fault into all calls, or none.
    pub(crate) fn inject_always(&self, fault: Option<ProviderFault>) {
        *self.always.lock().unwrap() = fault;
    }

    /// Returns the idempotency keys of the calls so far that start with `call`.
    pub(crate) fn calls(&self, call: &str) -> Vec<Option<String>> {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|(name, _)| name.starts_with(call)).map(|(_, key)| key.clone()).collect()
    }

    fn fault(&self, call: &str) -> Option<ProviderFault> {
        let mut next = self.next.lock().unwrap();
        let at = next.iter().position(|(prefix, _)| call.starts_with(prefix));
        let one = at.and_then(|at| next.remove(at)).map(|(_, fault)| fault);
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
        let response = forwarded.send().await.unwrap();
        (response.status(), response.bytes().await.unwrap())
    }
}

async fn pass(State(proxy): State<Proxy>, request: Request) -> Response {
    let call = format!("{} {}", request.method(), request.uri().path());
    let key = request.headers().get("idempotency-key").map(|key| key.to_str().unwrap().to_owned());
    proxy.calls.lock().unwrap().push((call.clone(), key));
    match proxy.fault(&call) {
        None => proxy.forward(request).await.into_response(),
        Some(ProviderFault::Down) => lost(),
        Some(ProviderFault::ResponseLost) => {
            proxy.forward(request).await;
            lost()
        }
        Some(ProviderFault::ServerError) => server_error(),
        Some(ProviderFault::ServerErrorAfterExecution) => {
            proxy.forward(request).await;
            server_error()
        }
        Some(ProviderFault::Slow(released)) => {
            let response = proxy.forward(request).await;
            released.notified().await;
            response.into_response()
        }
        Some(ProviderFault::Respond(status, body)) => (StatusCode::from_u16(status).unwrap(), body).into_response(),
    }
}

/// Returns a response whose connection breaks.
fn lost() -> Response {
    let broken = futures::stream::once(async { Err::<Bytes, _>(std::io::Error::other("broken")) });
    Body::from_stream(broken).into_response()
}

fn server_error() -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, r#"{"error":{"type":"api_error","message":"fault"}}"#).into_response()
}
