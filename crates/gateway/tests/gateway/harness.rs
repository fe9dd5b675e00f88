//! Gateways and upstreams on free ports, and clients of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::IntoResponse;
use gateway::{GatewayConfig, Options};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Time limit of every wait, far longer than a passing test takes.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// Gateway that runs until it is dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) status: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    pub(crate) task: JoinHandle<std::io::Result<()>>,
    client: Client,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Running {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method.parse().unwrap(), self.url(path))
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        within(self.request("GET", path).send()).await.unwrap()
    }

    /// Sends these bytes as they are and reads until the gateway closes the connection.
    pub(crate) async fn raw(&self, bytes: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut response = String::new();
        within(stream.read_to_string(&mut response)).await.unwrap();
        response
    }
}

pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(TIMEOUT, future).await.expect("time limit exceeded")
}

/// Waits until `check` returns a value.
pub(crate) async fn eventually<T>(mut check: impl AsyncFnMut() -> Option<T>) -> T {
    within(async {
        loop {
            if let Some(found) = check().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
}

pub(crate) async fn start(yaml: &str, options: Options) -> Running {
    crate::access_log::capture();
    let config = GatewayConfig::parse(yaml).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let status = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let status_address = status.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(gateway::serve(config, options, listener, Some(status), shutdown.clone()));
    Running { address, status: status_address, shutdown, task, client: client() }
}

fn client() -> Client {
    // A second test of this process finds the provider installed.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    Client::new()
}

/// Starts a gateway with one service named `s`, the further `fields` of that service, and the global `plugins`.
pub(crate) async fn start_one(upstream: SocketAddr, fields: &str, plugins: &str) -> Running {
    let yaml = format!(
        "_format_version: \"3.0\"\nservices:\n- name: s\n  url: http://{upstream}\n{fields}\nplugins: [{plugins}]\n"
    );
    start(&yaml, Options::default()).await
}

/// Route to `/` that does not strip the path.
pub(crate) const ALL: &str = "  routes: [{name: all, paths: [/], strip_path: false}]";

/// Starts a gateway of the repository's file, with an echo server for each of the four services.
pub(crate) async fn start_fleet(rate_limit: bool) -> Running {
    let mut upstreams = BTreeMap::new();
    for service in ["user-service", "product-service", "order-service", "payment-service"] {
        let address = serve(echo(service)).await;
        upstreams.insert(service.to_owned(), format!("http://{address}"));
    }
    let options = Options { rate_limit, upstreams, ..Options::default() };
    start(gateway::KONG_YML, options).await
}

pub(crate) async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Returns a router that echoes a request: service, method, uri, headers, body.
pub(crate) fn echo(service: &'static str) -> Router {
    Router::new().fallback(move |request: Request| async move {
        let (parts, body) = request.into_parts();
        let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in &parts.headers {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            headers.entry(name.to_string()).or_default().push(value);
        }
        let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
            return http::StatusCode::BAD_REQUEST.into_response();
        };
        axum::Json(json!({
            "service": service,
            "method": parts.method.as_str(),
            "uri": parts.uri.to_string(),
            "headers": headers,
            "body": String::from_utf8_lossy(&body),
        }))
        .into_response()
    })
}

/// Starts a server that accepts one connection, reads the head of a request, writes `response` and returns the head.
pub(crate) async fn raw_upstream(response: &'static str) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = read_until(&mut stream, "\r\n\r\n").await;
        stream.write_all(response.as_bytes()).await.unwrap();
        head
    });
    (address, task)
}

/// Reads until the bytes read end with `end`.
pub(crate) async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut read = Vec::new();
    while !read.ends_with(end.as_bytes()) {
        let byte = within(stream.read_u8()).await;
        match byte {
            Ok(byte) => read.push(byte),
            Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&read)),
        }
    }
    String::from_utf8(read).unwrap()
}

/// Returns an address without a listener, reserved while the socket exists.
pub(crate) fn unused_address() -> (SocketAddr, TcpSocket) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    (socket.local_addr().unwrap(), socket)
}

pub(crate) async fn json_of(response: Response) -> Value {
    response.json().await.unwrap()
}

pub(crate) fn header<'r>(response: &'r Response, name: &str) -> Option<&'r str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}
